"""Why SBERT's softmax allows a search by cosine: angles of its class vectors. First: pip install selfsent."""

import os
from itertools import islice

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import SoftmaxLoss

from selfsent.data.sources import open_source
from selfsent.methods.starting_model import from_scratch, open_transformer

LABELS = ("entailment", "neutral", "contradiction")
data, models = os.environ.get("SELFSENT_DATA"), os.environ.get("SELFSENT_MODELS")
if data and models:
    source = open_source(f"{data}/nli/train.jsonl.xz", columns=["premise", "hypothesis", "label"])
    rows = [(str(r["premise"]), str(r["hypothesis"]), LABELS.index(str(r["label"]))) for r in islice(source, 6000)]
    model = open_transformer(f"{models}/bert-tiny-wiki34m", pooling="mean", max_seq_length=64, device="cpu")
else:
    things = ("soup", "rice", "bread", "fish", "cake", "meat", "fruit", "nuts")
    ends = ("a person eats {}", "a man likes {} a lot", "nobody eats any {}")
    rows = [(f"a man eats {thing}", end.format(thing), label) for thing in things for label, end in enumerate(ends)]
    model = from_scratch("static", [text for row in rows for text in row[:2]], device="cpu")
dataset = Dataset.from_dict(
    dict(zip(("premise", "hypothesis", "label"), map(list, zip(*rows, strict=True)), strict=True))
)


def by_label(model: SentenceTransformer) -> str:
    """Mean cosine of the pairs of each label."""
    u, v = (torch.tensor(model.encode([row[side] for row in rows[:3000]])) for side in (0, 1))
    cosines, labels = torch.cosine_similarity(u, v), torch.tensor([row[2] for row in rows[:3000]])
    return ", ".join(f"{name} {float(cosines[labels == number].mean()):.2f}" for number, name in enumerate(LABELS))


print("mean cosine before:", by_label(model))
loss = SoftmaxLoss(model, sentence_embedding_dimension=model.get_embedding_dimension(), num_labels=3)
arguments = SentenceTransformerTrainingArguments(
    "angles", num_train_epochs=1, learning_rate=2e-4, report_to="none", save_strategy="no", use_cpu=True, seed=1
)
SentenceTransformerTrainer(model=model, args=arguments, train_dataset=dataset, loss=loss).train()
print("mean cosine after: ", by_label(model))
for part, weights in zip(("u", "v", "|u-v|"), loss.classifier.weight.detach().chunk(3, dim=1), strict=True):
    degrees = [
        torch.rad2deg(torch.arccos(torch.cosine_similarity(weights[a], weights[b], dim=0)))
        for a, b in ((0, 1), (1, 2), (0, 2))
    ]
    print(
        f"angles in {part}: "
        + ", ".join(
            f"{LABELS[a]}-{LABELS[b]} {float(d):.0f}"
            for (a, b), d in zip(((0, 1), (1, 2), (0, 2)), degrees, strict=True)
        )
    )
