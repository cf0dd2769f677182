"""Train SARCSE: a sentence embedding must be able to rebuild its tokens, rare ones above all.

First: pip install selfsent.
"""

from itertools import product
from pathlib import Path

import selfsent

texts = [f"the {who} sees a {colour} {thing} near the house" for who, colour, thing in product(
    ("cat", "dog", "child", "teacher"), ("red", "blue", "small"), ("door", "ball", "book", "car"))]  # fmt: skip
Path("notes.txt").write_text("\n".join(texts), encoding="utf8")
steps = {"max_steps": 5, "per_device_train_batch_size": 16}

# With a network, leave this out and write base="roberta-base", or leave base out.
selfsent.train("mlm", "notes.txt", "small-bert", hidden_size=32, num_heads=2, packed=False, training=steps)
model = selfsent.train("sarcse", "notes.txt", "sarcse", base="small-bert", channels=16, training=steps)
print(model)
