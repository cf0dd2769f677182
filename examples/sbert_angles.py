"""Why SBERT's softmax allows a search by cosine: angles of its class vectors. First: pip install selfsent."""

import os
from itertools import combinations, islice

import sentence_transformers as host
import torch
from datasets import Dataset
from sentence_transformers.sentence_transformer.losses import SoftmaxLoss

from selfsent.data.sources import open_source
from selfsent.methods.starting_model import from_scratch, open_transformer

LABELS = ("entailment", "neutral", "contradiction")
if (data := os.environ.get("SELFSENT_DATA")) and (models := os.environ.get("SELFSENT_MODELS")):
    given = islice(open_source(f"{data}/nli/train.jsonl.xz"), 3000)
    rows = [(row["premise"], row["hypothesis"], LABELS.index(str(row["label"]))) for row in given]
    model = open_transformer(f"{models}/bert-tiny-wiki34m", pooling="mean", max_seq_length=64, device="cpu")
else:
    rows = [("a man eats", end, label) for label, end in enumerate(("a person eats", "a man likes it", "no one eats"))]
    model = from_scratch("static", [text for row in rows for text in row[:2]], device="cpu")


def show(when: str) -> None:
    u, v = (torch.tensor(model.encode([row[side] for row in rows])) for side in (0, 1))
    of_label = [torch.cosine_similarity(u, v)[[row[2] == label for row in rows]].mean() for label in range(3)]
    print(when, ", ".join(f"{name} {float(cosine):.2f}" for name, cosine in zip(LABELS, of_label)))


show("mean cosine before:")
torch.manual_seed(1)
loss = SoftmaxLoss(model, embedding_dimension=model.get_embedding_dimension(), num_labels=3)
args = host.SentenceTransformerTrainingArguments("angles", num_train_epochs=2, learning_rate=5e-4, use_cpu=True, seed=1)
dataset = Dataset.from_list([dict(zip(("premise", "hypothesis", "label"), row)) for row in rows])
host.SentenceTransformerTrainer(model=model, args=args, train_dataset=dataset, loss=loss).train()
show("mean cosine after:")
for part, weights in zip(("u", "v", "|u-v|"), loss.classifier.weight.detach().chunk(3, dim=1), strict=True):
    cosines = [torch.cosine_similarity(one, other, dim=0) for one, other in combinations(weights, 2)]
    print(f"angles of the classes in {part}:", *(round(float(torch.rad2deg(cosine.arccos()))) for cosine in cosines))
