"""Distil a teacher into a student by SCT: the student places sentences among others as the teacher does.

First: pip install selfsent.
"""

from itertools import product
from pathlib import Path

import selfsent

texts = [f"the {who} sees a {colour} {thing} near the house" for who, colour, thing in product(
    ("cat", "dog", "child", "teacher"), ("red", "blue", "small"), ("door", "ball", "book", "car"))]  # fmt: skip
Path("notes.txt").write_text("\n".join(texts), encoding="utf8")
steps = {"max_steps": 5, "per_device_train_batch_size": 16}

# The teacher is any SentenceTransformer, such as all-MiniLM-L6-v2. Here a tree model stands in for one.
selfsent.train("self-strae", "notes.txt", "teacher", training=steps)
student = selfsent.train(
    "sct-distill",
    "notes.txt",
    "student",
    teacher="teacher",
    base="static",
    queue_size=32,
    teacher_cache="teacher-vectors",
    training=steps,
)
print(student.encode("the cat sees a red ball").shape)
