"""Train SBERT's three objectives: labels, scores, triplets. First: pip install selfsent."""

from pathlib import Path

import selfsent

DATA = {
    "classification": ["premise,hypothesis,label"] + ["a man eats,a person eats,entailment", "a man eats,he sleeps,contradiction"] * 8,
    "regression": ["sentence1,sentence2,score"] + ["a man eats,a person eats,4.5", "a man eats,the car stops,0.2"] * 8,
    "triplet": ["anchor,positive,negative"] + ["a man eats,a person eats,the car stops"] * 8,
}  # fmt: skip
things = ("bread", "rice", "soup", "fish", "meat", "fruit", "cake", "nuts")
for name, (header, *rows) in DATA.items():
    varied = [row.replace("eats", f"eats {things[number % 8]}") for number, row in enumerate(rows)]
    Path(f"{name}.csv").write_text("\n".join([header, *varied]), encoding="utf8")
steps = {"max_steps": 3, "per_device_train_batch_size": 4}

# With a network, leave this out and write base="bert-base-uncased", or leave base out.
selfsent.train(
    "mlm", "regression.csv", "small-bert", hidden_size=32, num_heads=2, max_seq_length=128, packed=False, training=steps
)
for name in DATA:
    model = selfsent.train(f"sbert-{name}", f"{name}.csv", f"sbert-{name}", base="small-bert", training=steps)
    print(name, model.encode("a man eats soup").shape)
