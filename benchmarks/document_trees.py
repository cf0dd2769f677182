"""What a tree over the recipe's table is worth to search: none, balanced and induced, at one budget of steps.

    SELFSENT_DATA=DATA python -m benchmarks.document_trees --seeds 1,2,3

The table that `train search` learns is trained on with `InfoNCELoss`, a part of a document against the rest of it:
once as it is (a text is the sum of its tokens), once below the affine cells of a balanced tree, once below those of an
induced one. Cells start at the sum, so all three start at the same vectors. Afterwards the sum of each table is scored
as well, which tells what the cells add from what the table learned. Whole documents by real judgements, nDCG@10 x100.
Every finished run is kept in `results/document-trees.json`, and a second call goes on.
"""

import argparse
import copy
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from benchmarks.document_search import (
    COLLECTIONS,
    Row,
    Task,
    all_scores,
    markdown_row,
    ndcg_of_queries,
    open_task,
    score_cells,
)
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from selfsent.documents.training_rows import DocumentRows
from selfsent.evaluation.document_scores import CosineScores
from selfsent.losses import InfoNCELoss
from selfsent.modules.tree_encoder import TreeEncoder
from selfsent.modules.tree_finder import Structure
from selfsent.runs.train import train
from selfsent.views.document_views import DocumentPair

RESULTS = Path("results/document-trees.json")
EPOCHS = 8  # what the label-free criterion chose for the recipe on every collection and seed
STRUCTURES = ("none", "balanced", "induced")
CHANNELS = 16  # of 16 values each: the affine cell shares its weights between them
NUM_STEPS = 100
BATCH_SIZE = 128
TEMPERATURE = 0.1  # the recipe's
LEARNING_RATE = 1e-3
SYSTEMS = ("recipe", "roots", "sums")


def started_at(recipe: SentenceTransformer, structure: str) -> SentenceTransformer:
    """Make what a run starts from: the table alone, or a tree over it whose cells start at the sum."""
    if structure == "none":
        return table_alone(recipe)
    return SentenceTransformer(modules=[tree(recipe, cast("Structure", structure))], device="cpu")


def tree(model: SentenceTransformer, structure: Structure) -> TreeEncoder:
    """Put affine cells over the table of a tree model."""
    encoder: Any = model[0]
    width = encoder.embedding.embedding_dim
    shape: dict[str, Any] = {"channels": CHANNELS, "channel_size": width // CHANNELS}
    made = TreeEncoder(tokenizer=encoder.tokenizer, cell="affine", composition_init="sum", structure=structure, **shape)
    made.load_state_dict({"embedding.weight": encoder.embedding.weight}, strict=False)
    return made


def table_alone(model: SentenceTransformer) -> SentenceTransformer:
    """The sum of a tree model's tokens, without the tree; the model itself where it has none."""
    encoder: Any = model[0]
    if not isinstance(encoder, TreeEncoder):
        return model
    tokenizer: Any = copy.deepcopy(encoder.tokenizer).backend_tokenizer  # the host's module changes the one it is given
    weights = encoder.embedding.weight.detach().numpy().copy()
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu")


def run(name: str, seed: int, data: Path) -> list[Row]:
    """Learn the recipe's table with one seed, go on from it with each structure, and score all of them."""
    with tempfile.TemporaryDirectory() as folder:
        task = open_task(name, data, Path(folder))
        training: dict[str, Any] = {"best": "none", "num_train_epochs": EPOCHS}
        started: dict[str, Any] = {"seed": seed, "base": "tree", "device": "cpu"}
        recipe = train("search", task.learned.path, Path(folder) / "recipe", training=training, **started)
        first = ndcg(task, recipe)
        rows = []
        for structure in STRUCTURES:
            torch.manual_seed(seed)
            model = started_at(recipe, structure)
            began = time.process_time()
            train_on(model, task, Path(folder) / structure, seed)
            cpu = time.process_time() - began
            items = {"recipe": first, "roots": ndcg(task, model), "sums": ndcg(task, table_alone(model))}
            rows.append({"collection": name, "seed": seed, "base": structure, "cpu": cpu, "items": items})
        return rows


def train_on(model: SentenceTransformer, task: Task, output: Path, seed: int) -> None:
    """Contrast parts of documents with the rest of them, some steps, by the host's trainer."""
    rows = DocumentRows(task.learned)
    dataset = Dataset.from_list(list(rows))
    dataset.set_transform(DocumentPair("document"))
    arguments: dict[str, Any] = {"per_device_train_batch_size": BATCH_SIZE, "learning_rate": LEARNING_RATE}
    arguments |= {"save_strategy": "no", "report_to": "none", "disable_tqdm": True, "use_cpu": True}
    trainer = SentenceTransformerTrainer(
        model,
        SentenceTransformerTrainingArguments(str(output), max_steps=NUM_STEPS, seed=seed, **arguments),
        train_dataset=dataset,
        loss=InfoNCELoss(model, temperature=TEMPERATURE, symmetric=True, documents_as_labels=True),
    )
    trainer.train()


def ndcg(task: Task, model: SentenceTransformer) -> list[float]:
    """nDCG@10 of each query over whole documents."""
    scores = all_scores(CosineScores(model), task.collection)
    return ndcg_of_queries({"model": scores}, task.collection)["model"]


def shown(rows: Sequence[Row]) -> str:
    """Lay the results out as Markdown: means over seeds, intervals over queries of the mean over seeds."""
    heads = ["collection", "structure", "seeds", "recipe", "roots", "sum of the same table", "roots - recipe"]
    lines = [markdown_row([*heads, "roots - sum", "CPU s"]), markdown_row(["---"] * (len(heads) + 2))]
    for name in COLLECTIONS:
        for structure in STRUCTURES:
            found = [row for row in rows if (row["collection"], row["base"]) == (name, structure)]
            if found:
                cells = score_cells(found, "items", SYSTEMS, (("roots", "recipe"), ("roots", "sums")))
                lines.append(markdown_row([*cells, f"{np.mean([row['cpu'] for row in found]):.0f}"]))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collections", default=",".join(COLLECTIONS))
    parser.add_argument("--seeds", default="1,2,3")
    arguments = parser.parse_args()
    data = Path(os.environ["SELFSENT_DATA"])
    rows: list[Row] = json.loads(RESULTS.read_text("utf8")) if RESULTS.is_file() else []
    for seed in map(int, arguments.seeds.split(",")):
        for name in arguments.collections.split(","):
            if any((row["collection"], row["seed"]) == (name, seed) for row in rows):
                continue
            rows += run(name, seed, data)
            RESULTS.write_text(json.dumps(rows) + "\n", "utf8")
            RESULTS.with_suffix(".md").write_text(shown(rows), "utf8")
            print(shown(rows), flush=True)


if __name__ == "__main__":
    main()
