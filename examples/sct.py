"""Train SCT on pairs of views of a sentence. First: pip install selfsent."""

from itertools import product
from pathlib import Path

import selfsent

pairs = [f"the {who} sees a {thing}\ta {thing} is seen by the {who}" for who, thing in product(
    ("cat", "dog", "child", "teacher", "baker", "nurse"), ("door", "ball", "book", "car", "tree"))]  # fmt: skip
Path("views.tsv").write_text("\n".join(pairs), encoding="utf8")
steps = {"max_steps": 5, "per_device_train_batch_size": 8}

# With a network, leave this out and write base="google/bert_uncased_L-2_H-128_A-2".
selfsent.train(
    "mlm",
    "views.tsv",
    "small-bert",
    columns=[1],
    hidden_size=32,
    num_heads=2,
    max_seq_length=128,
    packed=False,
    training=steps,
)
model = selfsent.train("sct", "views.tsv", "sct", base="small-bert", queue_size=16, training=steps)
print(model.encode("the cat sees a ball").shape)
