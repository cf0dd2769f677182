"""Train SimCSE on raw text, on a small BERT made here. First: pip install selfsent."""

from itertools import product
from pathlib import Path

import selfsent

texts = [f"the {who} sees a {colour} {thing} near the house" for who, colour, thing in product(
    ("cat", "dog", "child", "teacher"), ("red", "blue", "small"), ("door", "ball", "book", "car"))]  # fmt: skip
Path("notes.txt").write_text("\n".join(texts), encoding="utf8")
steps = {"max_steps": 5, "per_device_train_batch_size": 16}

# With a network, leave this out and write base="bert-base-uncased", or leave base out.
selfsent.train("mlm", "notes.txt", "small-bert", hidden_size=32, num_heads=2, packed=False, training=steps)
model = selfsent.train("simcse", "notes.txt", "simcse", base="small-bert", pooling="mean", training=steps)
one, other = model.encode(["the cat sees a red ball", "the dog sees a red ball"])
print("cosine", float(model.similarity(one, other)))
