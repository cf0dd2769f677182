"""Search a good rate and dropout without labels, by a held-out part of the text.

First: pip install 'selfsent[tune]'.
"""

from itertools import product
from pathlib import Path

from selfsent.printed_text import show
from selfsent.runs.train import Request
from selfsent.runs.tuning import Range, tune

texts = [f"the {who} sees a {colour} {thing} near the house" for who, colour, thing in product(
    ("cat", "dog", "child", "teacher"), ("red", "blue", "small"), ("door", "ball", "book", "car"))]  # fmt: skip
Path("notes.txt").write_text("\n".join(texts), encoding="utf8")

request = Request(
    method="self-strae",
    data="notes.txt",
    output="tuned",
    training={"max_steps": 5, "per_device_train_batch_size": 8},
)
space = {"leaf_dropout": Range(low=0.0, high=0.5), "training.learning_rate": Range(low=1e-4, high=1e-2)}
found = tune(request, num_trials=3, space=space)
show(found.render())
print(Path("tuned/best.toml").read_text(encoding="utf8"))
