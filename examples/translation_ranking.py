"""Train a multilingual model without a teacher: translations find each other. First: pip install selfsent."""

from itertools import product
from pathlib import Path

import selfsent

who = {"cat": "Katze", "dog": "Hündin", "aunt": "Tante", "teacher": "Lehrerin"}
thing = {"door": "Tür", "bag": "Tasche", "lamp": "Lampe", "watch": "Uhr", "flower": "Blume"}
rows = [f"the {a} sees the {b}\tdie {who[a]} sieht die {thing[b]}" for a, b in product(who, thing)]
Path("pairs.tsv").write_text("\n".join(["en\tde", *rows]), encoding="utf8")

model = selfsent.train(
    "translation-ranking",
    "pairs.tsv",
    "ranked",
    base="static",
    hidden_size=64,
    training={"num_train_epochs": 20, "per_device_train_batch_size": 8, "learning_rate": 1e-2},
)
print(model.similarity(model.encode("the dog sees the door"), model.encode("die Hündin sieht die Tür")))
