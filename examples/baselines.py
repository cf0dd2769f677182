"""Train what StrAE is compared with: Tree-LSTM, inside-outside network, Bi-LSTM. First: pip install selfsent."""

from itertools import product
from pathlib import Path

import selfsent

texts = [f"the {who} sees a {colour} {thing} near the house" for who, colour, thing in product(
    ("cat", "dog", "child", "teacher"), ("red", "blue", "small"), ("door", "ball", "book", "car"))]  # fmt: skip
Path("notes.txt").write_text("\n".join(texts), encoding="utf8")
steps = {"max_steps": 3, "per_device_train_batch_size": 8}

for name, options in {
    "tree-lstm": {"structure": "balanced"},
    "iornn": {"structure": "balanced"},
    "bi-lstm": {},
}.items():
    model = selfsent.train(name, "notes.txt", name, dimension=16, training=steps, **options)
    weights = sum(weight.numel() for weight in model.parameters())
    print(f"{name}: {weights:,} weights, vectors of {model.encode('the cat').shape[0]} values")
