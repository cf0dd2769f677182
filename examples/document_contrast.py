"""Learn word vectors from nothing but which sentences stand in one document. First: pip install 'selfsent[files]'."""

from pathlib import Path

import selfsent

TOPICS = {
    "garden": ("Roses need water in summer.", "Prune the apple tree in winter.", "Compost feeds the soil."),
    "kitchen": ("Knead the dough for ten minutes.", "Let the soup simmer.", "Salt the water before the pasta."),
    "bicycle": ("Oil the chain every month.", "Check the brakes before a ride.", "Pump the tyres to four bar."),
}
folder = Path("documents")
folder.mkdir(exist_ok=True)
for name, sentences in TOPICS.items():
    for number in range(12):
        text = " ".join(f"{sentence} Note {number}." for sentence in sentences)
        (folder / f"{name}-{number}.md").write_text(f"# {name} {number}\n\n{text}\n", encoding="utf8")

model = selfsent.train("document-contrast", folder, "topics", width=32, training={"num_train_epochs": 3})
near, far = model.similarity(model.encode("water the roses"), model.encode(["prune the apple tree", "oil the chain"]))[
    0
]
print(f"garden {near:.2f}, bicycle {far:.2f}")
