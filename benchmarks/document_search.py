"""Compare BM25, topics, the recipe `search` and hybrid search on real relevance judgements.

    SELFSENT_DATA=DATA python -m benchmarks.document_search --seeds 1,2,3

For each collection and seed the recipe is run twice, as `selfsent build` does: once with parts of some documents cut
out, which choose the epochs and the weight of hybrid search without labels, and once on all documents. Documents are
searched whole. Every finished seed is kept in `results/document-search.json`, and a second call goes on.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from selfsent.data.docs import open_docstrings
from selfsent.document_build.measuring import chosen_weight, with_table
from selfsent.documents import open_documents
from selfsent.documents.corpus_file import write_corpus
from selfsent.evaluation.bm25 import BM25
from selfsent.evaluation.document_scores import CosineScores, PassageScorer, Scores
from selfsent.evaluation.fusion_weight import TwoScores
from selfsent.evaluation.ranking import TOP_K, best, score_orders
from selfsent.evaluation.statistics import Mean, paired_bootstrap
from selfsent.evaluation.tasks.docs_retrieval import docs_collection
from selfsent.evaluation.tasks.retrieval import Collection, read_collection
from selfsent.methods.document_contrast import START_FILE
from selfsent.runs.train import train

RESULTS = Path("results/document-search.json")
COLLECTIONS = ("docs", "scifact", "vaswani", "cacm")
SYSTEMS = ("bm25", "topics", "trained", "hybrid")


def collection_of(name: str, data: Path) -> tuple[str, Collection]:
    """Give the source of a collection's documents, and its queries and judgements."""
    if name == "docs":
        return "docs:train", docs_collection(open_docstrings())
    folder = data / "retrieval" / name
    return str(folder / "corpus.jsonl.xz"), read_collection(folder)


def all_scores(scorer: PassageScorer, collection: Collection) -> Iterator[Scores]:
    """Yield the scores of all documents, some queries at a time."""
    yield from scorer.passage_scores(collection.queries, collection.documents)


def run(name: str, seed: int, base: str, data: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Train and score one collection with one seed."""
    source, collection = collection_of(name, data)
    began, cpu = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        corpus = write_corpus(open_documents(source), Path(folder) / "documents.parquet")
        options: dict[str, Any] = {"seed": seed, "base": base, "device": "cpu", **settings}
        chooser = train("search", corpus.path, Path(folder) / "chooser", training={"best": "own-documents"}, **options)
        weight = chosen_weight(chooser, corpus)
        record = json.loads((Path(folder) / "chooser" / "run.json").read_text("utf8"))
        epochs = max(1, int(record["best"]["step"]))
        final = {"best": "none", "num_train_epochs": epochs}
        model = train("search", corpus.path, Path(folder) / "final", training=final, **options)
        seconds = {"wall": time.monotonic() - began, "cpu": time.process_time() - cpu}
        start = load_file(Path(folder) / "final" / "checkpoints" / "checkpoint-0" / START_FILE)["table"]
    words = np.concatenate(list(all_scores(BM25(), collection)))
    cosines = np.concatenate(list(all_scores(CosineScores(model), collection)))
    topics = np.concatenate(list(all_scores(CosineScores(with_table(model, start)), collection)))
    hybrid = TwoScores(words=words, cosines=cosines).hybrid(weight)
    items = {
        system: score_orders([best(row, top_k=TOP_K) for row in scores], collection.judgements, task=name).items
        for system, scores in zip(SYSTEMS, (words, topics, cosines, hybrid), strict=True)
    }
    values = {system: np.asarray(of_system)[:, 0].tolist() for system, of_system in items.items()}
    return {
        "collection": name,
        "seed": seed,
        "base": base,
        "weight": weight,
        "epochs": epochs,
        **seconds,
        "items": values,
    }


def shown(rows: Sequence[dict[str, Any]]) -> str:
    """Lay the results out as Markdown: means over seeds, intervals over queries of the mean over seeds."""
    heads = ["collection", "base", "seeds", "BM25", "topics", "trained", "hybrid", "hybrid - BM25", "hybrid - trained"]
    heads += ["weights", "epochs", "CPU s"]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for name in COLLECTIONS:
        for base in sorted({row["base"] for row in rows}):
            found = [row for row in rows if row["collection"] == name and row["base"] == base]
            if found:
                lines.append(_line(name, base, found))
    return "\n".join(lines) + "\n"


def _line(name: str, base: str, rows: Sequence[dict[str, Any]]) -> str:
    means = {system: np.mean([row["items"][system] for row in rows], axis=0)[:, None] for system in SYSTEMS}
    cells = []
    for system in SYSTEMS:
        spread = np.std([np.mean(row["items"][system]) for row in rows], ddof=1) if len(rows) > 1 else 0.0
        cells.append(f"{100 * means[system].mean():.2f}" + (f" ± {100 * spread:.2f}" if spread > 0 else ""))
    for other in ("bm25", "trained"):
        paired = paired_bootstrap(means["hybrid"], means[other], Mean())
        low, high = paired.ci95 or (0.0, 0.0)
        cells.append(f"{100 * paired.difference:+.2f} ({100 * low:+.1f} to {100 * high:+.1f})")
    weights = ", ".join(f"{row['weight']:g}" for row in rows)
    epochs = ", ".join(str(row["epochs"]) for row in rows)
    cpu = np.mean([row["cpu"] for row in rows])
    return f"| {name} | {base} | {len(rows)} | {' | '.join(cells)} | {weights} | {epochs} | {cpu:.0f} |"


def main() -> None:
    """Run what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collections", default=",".join(COLLECTIONS))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--base", default="static")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = json.loads(RESULTS.read_text("utf8")) if RESULTS.is_file() else []
    for seed in map(int, arguments.seeds.split(",")):
        for name in arguments.collections.split(","):
            if any((row["collection"], row["seed"], row["base"]) == (name, seed, arguments.base) for row in rows):
                continue
            rows.append(run(name, seed, arguments.base, Path(os.environ["SELFSENT_DATA"]), {}))
            RESULTS.write_text(json.dumps(rows) + "\n", "utf8")
            RESULTS.with_suffix(".md").write_text(shown(rows), "utf8")
            print({key: value for key, value in rows[-1].items() if key != "items"}, flush=True)
    print(shown(rows))


if __name__ == "__main__":
    main()
