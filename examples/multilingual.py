"""Teach a static student several languages from a teacher of one. First: pip install selfsent."""

from itertools import product
from pathlib import Path

import selfsent

who = {"cat": "Katze", "dog": "Hündin", "aunt": "Tante", "teacher": "Lehrerin"}
thing = {"door": "Tür", "bag": "Tasche", "lamp": "Lampe", "watch": "Uhr", "flower": "Blume"}
rows = [f"the {a} sees the {b}\tdie {who[a]} sieht die {thing[b]}" for a, b in product(who, thing)]
Path("pairs.tsv").write_text("\n".join(["en\tde", *rows]), encoding="utf8")
Path("english.txt").write_text("\n".join(row.split("\t")[0] for row in rows), encoding="utf8")

# The teacher is any English SentenceTransformer, such as all-MiniLM-L6-v2. Here a tree model stands in for one.
selfsent.train("self-strae", "english.txt", "teacher", training={"max_steps": 5, "per_device_train_batch_size": 8})
student = selfsent.train(
    "multilingual",
    "pairs.tsv",
    "student",
    teacher="teacher",
    base="static",
    hidden_size=64,
    teacher_cache="teacher-vectors",
    training={"num_train_epochs": 20, "per_device_train_batch_size": 8, "learning_rate": 1e-2},
)
print(student.similarity(student.encode("the dog sees the door"), student.encode("die Hündin sieht die Tür")))
