"""Train a small BERT from scratch, tokenizer included, and use it as a base. First: pip install selfsent."""

from itertools import product
from pathlib import Path

import selfsent

texts = [f"the {who} sees a {colour} {thing} near the house" for who, colour, thing in product(
    ("cat", "dog", "child", "teacher"), ("red", "blue", "small"), ("door", "ball", "book", "car"))]  # fmt: skip
Path("notes.txt").write_text("\n".join(texts), encoding="utf8")

model = selfsent.train(
    "mlm",
    "notes.txt",
    "small-bert",
    hidden_size=32,
    num_heads=2,
    packed=False,
    training={"max_steps": 10, "per_device_train_batch_size": 16},
)
print("as a sentence encoder:", model.encode("the cat sees a red ball").shape)

from transformers import AutoModelForMaskedLM

print("as a masked LM:", type(AutoModelForMaskedLM.from_pretrained("small-bert")).__name__)
