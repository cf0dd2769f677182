"""Train SimCSE on pairs with hard negatives. First: pip install selfsent."""

import csv
from itertools import product
from pathlib import Path

import selfsent

with Path("triplets.csv").open("w", encoding="utf8", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["anchor", "positive", "negative"])
    for who, thing in product(("cat", "dog", "child", "teacher", "baker", "nurse"), ("door", "ball", "book", "car")):
        rows.writerow(
            [f"the {who} sees a {thing}", f"a {thing} is seen by the {who}", f"the {who} never saw a {thing}"]
        )

# static: a table of word vectors from scratch; a transformer's folder or hub name works as well.
model = selfsent.train(
    "simcse-sup",
    "triplets.csv",
    "simcse-sup",
    base="static",
    head="none",
    training={"max_steps": 20, "per_device_train_batch_size": 8, "learning_rate": 1e-2},
)
print(model.similarity(model.encode("the cat sees a ball"), model.encode(["a ball is seen by the cat"])))
