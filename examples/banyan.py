"""Train Banyan: equal phrases of a batch are one node, and the cells have 14 weights. First: pip install selfsent."""

from itertools import product
from pathlib import Path

import selfsent

texts = [f"the {who} sees a {colour} {thing} near the house" for who, colour, thing in product(
    ("cat", "dog", "child", "teacher"), ("red", "blue", "small"), ("door", "ball", "book", "car"))]  # fmt: skip
Path("notes.txt").write_text("\n".join(texts), encoding="utf8")

model = selfsent.train("banyan", "notes.txt", "banyan", training={"max_steps": 10, "per_device_train_batch_size": 16})
cell = model[0].composition
print("weights of the composition:", sum(weight.numel() for weight in cell.parameters()))
