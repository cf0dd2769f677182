"""Compare BM25, topics, the recipe `search` and hybrid search on real relevance judgements.

    SELFSENT_DATA=DATA python -m benchmarks.document_search --seeds 1,2,3
    SELFSENT_DATA=DATA python -m benchmarks.document_search --model MODELS/all-MiniLM-L6-v2

For each collection and seed the recipe is run twice, as `selfsent build` does: once with parts of some documents cut
out and some documents held out, which choose the epochs and the weight of hybrid search without labels, and once on all
documents. With `--model` a ready model takes its place, and only the weight is chosen. In the first table documents are
scored whole; in the second they are passages of a store, and the store is searched as people search it. Every finished
run is kept in `results/document-search.json`, and a second call goes on.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer

from selfsent.data.docs import open_docstrings
from selfsent.document_build.measuring import cut_curves, measure, weight_of, with_table
from selfsent.documents import open_documents
from selfsent.documents.corpus_file import CorpusFile, write_corpus
from selfsent.documents.document import Document
from selfsent.errors import UserError
from selfsent.evaluation.bm25 import BM25
from selfsent.evaluation.document_scores import CosineScores, PassageScorer, Scores
from selfsent.evaluation.fusion_weight import TwoScores
from selfsent.evaluation.ranking import TOP_K, best, score_orders
from selfsent.evaluation.statistics import Mean, paired_bootstrap
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks.docs_retrieval import docs_collection
from selfsent.evaluation.tasks.own_documents import heldout_share, is_held_out
from selfsent.evaluation.tasks.retrieval import Collection, read_collection
from selfsent.evaluation.tasks.store_search import store_report
from selfsent.loading import load
from selfsent.methods.document_contrast import START_FILE
from selfsent.runs.train import train
from selfsent.search.document_indexing import index_documents
from selfsent.search.store import Mode

RESULTS = Path("results/document-search.json")
COLLECTIONS = ("docs", "scifact", "vaswani", "cacm")
SYSTEMS = ("bm25", "topics", "trained", "hybrid")
_ROUNDED = 0.005  # a spread that is shown as 0.00
MODES: tuple[Mode, ...] = ("text", "vector", "hybrid")

Row = dict[str, Any]
Items = Mapping[str, list[float]]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A collection in one place.

    Args:
        collection: Documents, queries and judgements.
        learned: The documents to learn from.
        searched: The documents to search; for ``docs`` others than those that are learned from.
    """

    collection: Collection
    learned: CorpusFile
    searched: Sequence[Document] | CorpusFile


def open_task(name: str, data: Path, folder: Path) -> Task:
    """Open a collection, and write its documents to a folder."""
    if name == "docs":
        found = docs_collection(open_docstrings())
        ids = [str(number) for number in range(len(found.documents))]
        searched = [Document(id=name, text=text) for name, text in zip(ids, found.documents, strict=True)]
        learned = write_corpus(open_documents("docs:train"), folder / "documents.parquet")
        return Task(collection=replace(found, ids=ids), learned=learned, searched=searched)
    source = data / "retrieval" / name
    corpus = write_corpus(open_documents(str(source / "corpus.jsonl.xz")), folder / "documents.parquet")
    return Task(collection=read_collection(source), learned=corpus, searched=corpus)


def all_scores(scorer: PassageScorer, collection: Collection) -> Scores:
    """Score all documents for all queries."""
    return np.concatenate(list(scorer.passage_scores(collection.queries, collection.documents)))


def run_recipe(name: str, seed: int, base: str, data: Path) -> Row:
    """Train the recipe with one seed, and score it."""
    with tempfile.TemporaryDirectory() as folder:
        task = open_task(name, data, Path(folder))
        began, cpu = time.monotonic(), time.process_time()
        chooser, final = Path(folder) / "chooser", Path(folder) / "final"
        options: dict[str, Any] = {"seed": seed, "base": base, "device": "cpu"}
        share = heldout_share(len(task.learned))
        asking = (one for one in task.learned if not is_held_out(one, share))
        learned = write_corpus(asking, Path(folder) / "learned.parquet")
        model = train("search", learned.path, chooser, training={"best": "own-documents"}, **options)
        weight = chosen_weight(name, model, task.learned, learned)
        epochs = max(1, int(json.loads((chooser / "run.json").read_text("utf8"))["best"]["step"]))
        training = {"best": "none", "num_train_epochs": epochs}
        model = train("search", task.learned.path, final, training=training, **options)
        seconds = {"wall": time.monotonic() - began, "cpu": time.process_time() - cpu}
        start = load_file(final / "checkpoints" / "checkpoint-0" / START_FILE)["table"]
        items = whole_documents(task.collection, model, weight)
        items |= ndcg_of_queries(
            {"topics": all_scores(CosineScores(with_table(model, start)), task.collection)}, task.collection
        )
        searched = whole_search(task, model, final, weight)
    known = {"collection": name, "seed": seed, "base": base, "weight": weight, "epochs": epochs}
    return {**known, **seconds, "items": items, "search": searched}


def chosen_weight(name: str, model: SentenceTransformer, documents: CorpusFile, learned: CorpusFile) -> float:
    """The weight of hybrid search as a build chooses it: by parts cut out, and by held-out documents where they ask."""
    cut = cut_curves(model, learned)
    candidates = "held-out" if name == "docs" else "all"
    try:
        return measure(model, documents, cut=cut, candidates=candidates, topics=None, untrained=None).weight
    except UserError:  # single sentences have no parts to ask with
        return weight_of(cut)


def run_ready(name: str, path: Path, data: Path) -> Row:
    """Score a ready model over whole documents; in a store it would read everything once more, which takes long."""
    with tempfile.TemporaryDirectory() as folder:
        task = open_task(name, data, Path(folder))
        began, cpu = time.monotonic(), time.process_time()
        model = load(path, device="cpu")
        weight = chosen_weight(name, model, task.learned, task.learned)
        items = whole_documents(task.collection, model, weight)
        seconds = {"wall": time.monotonic() - began, "cpu": time.process_time() - cpu}
    known = {"collection": name, "seed": 0, "base": path.name, "weight": weight, "epochs": 0}
    return {**known, **seconds, "items": items}


def whole_documents(collection: Collection, model: SentenceTransformer, weight: float) -> dict[str, list[float]]:
    """Score BM25, a model and both together, each over whole documents."""
    words, cosines = all_scores(BM25(), collection), all_scores(CosineScores(model), collection)
    hybrid = TwoScores(words=words, cosines=cosines).hybrid(weight)
    return ndcg_of_queries({"bm25": words, "trained": cosines, "hybrid": hybrid}, collection)


def ndcg_of_queries(scores: Mapping[str, Scores], collection: Collection) -> dict[str, list[float]]:
    """nDCG@10 of each query, by system."""
    orders = {name: [best(row, top_k=TOP_K) for row in found] for name, found in scores.items()}
    return {
        name: np.asarray(score_orders(found, collection.judgements, task=name).items)[:, 0].tolist()
        for name, found in orders.items()
    }


def whole_search(task: Task, model: SentenceTransformer, path: Path, weight: float) -> dict[str, list[float]]:
    """Index the documents, and score the search of the store in each of its modes: nDCG@10 of each query."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        options: dict[str, Any] = {"model_path": path, "source": "collection", "fusion_weight": weight}
        index_documents(model, task.searched, store, batch_size=256, **options)
        reports = {
            mode: store_report(store, task.collection, SuiteOptions(), mode=mode, device="cpu") for mode in MODES
        }
    return {mode: np.asarray(report.scores[0].items)[:, 0].tolist() for mode, report in reports.items()}


def shown(rows: Sequence[Row]) -> str:
    """Lay the results out as Markdown: means over seeds, intervals over queries of the mean over seeds."""
    return f"""Whole documents, nDCG@10 x100:

{_whole_documents_table(rows)}
The search of a store, as `selfsent evaluate STORE --qrels DIR --mode MODE` scores it, nDCG@10 x100:

{_search_table(rows)}"""


def _whole_documents_table(rows: Sequence[Row]) -> str:
    heads = ["collection", "model", "seeds", "BM25", "topics", "model alone", "hybrid", "hybrid - BM25"]
    heads += ["hybrid - model", "weights", "epochs", "CPU s"]
    lines = [markdown_row(heads), markdown_row(["---"] * len(heads))]
    for of_model in _by_model(rows):
        cells = score_cells(of_model, "items", SYSTEMS, (("hybrid", "bm25"), ("hybrid", "trained")))
        settings = (", ".join(f"{row[name]:g}" for row in of_model) for name in ("weight", "epochs"))
        lines.append(markdown_row([*cells, *settings, f"{np.mean([row['cpu'] for row in of_model]):.0f}"]))
    return "\n".join(lines) + "\n"


def _search_table(rows: Sequence[Row]) -> str:
    heads = ["collection", "model", "seeds", *MODES, "hybrid - text", "hybrid - vector"]
    lines = [markdown_row(heads), markdown_row(["---"] * len(heads))]
    pairs = (("hybrid", "text"), ("hybrid", "vector"))
    in_stores = [row for row in rows if "search" in row]
    lines += [markdown_row(score_cells(of_model, "search", MODES, pairs)) for of_model in _by_model(in_stores)]
    return "\n".join(lines) + "\n"


def markdown_row(cells: Sequence[str]) -> str:
    """Lay out one row of a table."""
    return f"| {' | '.join(cells)} |"


def _by_model(rows: Sequence[Row]) -> list[list[Row]]:
    """Runs of each collection and model, in the order of the collections."""
    groups: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((COLLECTIONS.index(row["collection"]), row["base"]), []).append(row)
    return [groups[key] for key in sorted(groups)]


def score_cells(rows: Sequence[Row], key: str, systems: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Collection, model, seeds; the mean of each system with its spread over seeds; paired differences."""
    found: list[Items] = [row[key] for row in rows]
    cells = [rows[0]["collection"], rows[0]["base"], str(len(rows))]
    for system in systems:
        values = [100 * float(np.mean(items[system])) for items in found if system in items]
        spread = f" ± {np.std(values, ddof=1):.2f}" if len(values) > 1 and np.std(values) > _ROUNDED else ""
        cells.append(f"{np.mean(values):.2f}{spread}" if values else "")
    for one, other in pairs:
        first, second = (np.mean([items[system] for items in found], axis=0)[:, None] for system in (one, other))
        paired = paired_bootstrap(first, second, Mean())
        low, high = paired.ci95 or (0.0, 0.0)
        cells.append(f"{100 * paired.difference:+.2f} ({100 * low:+.1f} to {100 * high:+.1f})")
    return cells


def main() -> None:
    """Run what is missing, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collections", default=",".join(COLLECTIONS))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--base", default="static")
    parser.add_argument("--model", type=Path, help="folder of a ready model to score instead of the recipe")
    arguments = parser.parse_args()
    data, model = Path(os.environ["SELFSENT_DATA"]), arguments.model
    rows: list[Row] = json.loads(RESULTS.read_text("utf8")) if RESULTS.is_file() else []
    for seed in [0] if model else map(int, arguments.seeds.split(",")):
        for name in arguments.collections.split(","):
            base = model.name if model else arguments.base
            if any((row["collection"], row["seed"], row["base"]) == (name, seed, base) for row in rows):
                continue
            rows.append(run_ready(name, model, data) if model else run_recipe(name, seed, base, data))
            RESULTS.write_text(json.dumps(rows) + "\n", "utf8")
            RESULTS.with_suffix(".md").write_text(shown(rows), "utf8")
            print({key: value for key, value in rows[-1].items() if key not in ("items", "search")}, flush=True)
    print(shown(rows))


if __name__ == "__main__":
    main()
