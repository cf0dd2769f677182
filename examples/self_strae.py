"""Train Self-StrAE, a tree autoencoder, from scratch on raw text. First: pip install selfsent."""

from itertools import product
from pathlib import Path

import selfsent

texts = [f"the {who} sees a {colour} {thing} near the house" for who, colour, thing in product(
    ("cat", "dog", "child", "teacher"), ("red", "blue", "small"), ("door", "ball", "book", "car"))]  # fmt: skip
Path("notes.txt").write_text("\n".join(texts), encoding="utf8")

model = selfsent.train(
    "self-strae", "notes.txt", "self-strae", training={"max_steps": 20, "per_device_train_batch_size": 16}
)
vectors = model.encode(["the cat sees a red ball near the house", "the teacher sees a blue car near the house"])
print("two vectors of", vectors.shape[1], "values")
