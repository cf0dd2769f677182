"""Distil a slow teacher into a fast static model on one's own documents. First: pip install 'selfsent[files]'."""

from pathlib import Path

import selfsent

TOPICS = {
    "garden": ("Roses need water in summer.", "Prune the apple tree in winter.", "Compost feeds the soil."),
    "kitchen": ("Knead the dough for ten minutes.", "Let the soup simmer.", "Salt the water before the pasta."),
}
folder = Path("documents")
folder.mkdir(exist_ok=True)
for name, sentences in TOPICS.items():
    for number in range(12):
        text = " ".join(f"{sentence} Note {number}." for sentence in sentences)
        (folder / f"{name}-{number}.md").write_text(f"# {name} {number}\n\n{text}\n", encoding="utf8")

# The teacher is any SentenceTransformer, such as all-MiniLM-L6-v2. Here a table learned from topics stands in.
selfsent.train("document-contrast", folder, "teacher", width=32, training={"num_train_epochs": 1})
student = selfsent.train(
    "document-distillation",
    folder,
    "student",
    teacher="teacher",
    training={"num_train_epochs": 2, "per_device_train_batch_size": 8},
)
print(student)
