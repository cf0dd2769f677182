"""Compare two models on one's own labels, with the interval of the difference. First: pip install selfsent."""

from itertools import product
from pathlib import Path

import selfsent
from selfsent.evaluation import paired_differences, render_differences
from selfsent.evaluation.tasks.pairs import evaluate_own_labels
from selfsent.printed_text import show

texts = [f"the {who} sees a {colour} {thing} near the house" for who, colour, thing in product(
    ("cat", "dog", "child", "teacher"), ("red", "blue", "small"), ("door", "ball", "book", "car"))]  # fmt: skip
Path("notes.txt").write_text("\n".join(texts), encoding="utf8")
steps = {"max_steps": 10, "per_device_train_batch_size": 16}
selfsent.train("self-strae", "notes.txt", "one", seed=1, training=steps)
selfsent.train("self-strae", "notes.txt", "other", seed=2, training=steps)

# A person's own labels: two sentences, and how alike they are.
labels = [f"{one},{other},{len(set(one.split()) & set(other.split()))}" for one, other in zip(texts, texts[5:])]
Path("labels.csv").write_text("\n".join(["sentence1,sentence2,score", *labels]), encoding="utf8")

reports = evaluate_own_labels(["one", "other"], pairs="labels.csv")
for report in reports:
    print(report.model, [f"{score.value:.3f} {score.ci95}" for score in report.scores])
show(render_differences(paired_differences(reports)))
