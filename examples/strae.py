"""Train StrAE on a structure that is given: here balanced trees. First: pip install selfsent."""

from itertools import product
from pathlib import Path

import selfsent

texts = [f"the {who} sees a {colour} {thing} near the house" for who, colour, thing in product(
    ("cat", "dog", "child", "teacher"), ("red", "blue", "small"), ("door", "ball", "book", "car"))]  # fmt: skip
Path("notes.txt").write_text("\n".join(texts), encoding="utf8")

for structure in ("balanced", "right"):
    model = selfsent.train(
        "strae",
        "notes.txt",
        f"strae-{structure}",
        structure=structure,
        training={"max_steps": 10, "per_device_train_batch_size": 16},
    )
    print(structure, model.encode("the cat sees a red ball").shape)
