"""The main job, start to end, on the embedded corpus: train from scratch, measure, index, search, show a tree."""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from sentence_transformers import SentenceTransformer

from selfsent.atomic import write_text
from selfsent.data.docs import open_docstrings
from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.evaluation.baselines import averaged_table, untrained
from selfsent.evaluation.bm25 import BM25
from selfsent.evaluation.docs_retrieval import docs_collection
from selfsent.evaluation.report import installed_versions
from selfsent.evaluation.retrieval import Collection, score_collection
from selfsent.evaluation.score import Score
from selfsent.evaluation.suites import SuiteOptions
from selfsent.methods.recipe import shipped_recipes
from selfsent.methods.train import train
from selfsent.printed_text import TextTable, plain
from selfsent.search.indexing import index
from selfsent.search.semantic_search import Hit, SemanticSearch, render_hits
from selfsent.training.run_folder import RunFolder, listed, visible_names
from selfsent.trees.sentence import sentence_tree

_RECIPE = "demo"
_HITS = 3
_QUERIES = (
    "read a file line by line",
    "compute the gradient of a function",
    "remove duplicates from a list",
)
_SENTENCE = "The function returns a new list with the names of all files in the folder."
_NAMES = {
    "trained": "this model",
    "untrained": "the same model, untrained",
    "averaged": "its token embeddings, averaged",
    "bm25": "BM25 (words)",
}


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What a demo did, for the terminal.

    Args:
        report: What ``report.json`` holds.
        answers: The demo's queries and their answers.
        tree: The tree of one sentence, as text.
    """

    report: Mapping[str, Any]
    answers: Mapping[str, Sequence[Hit]]
    tree: str


def run(output: Path, *, seed: int = 42) -> Demo:
    """Train Self-StrAE on the docstrings of the installed packages, score retrieval, index them and ask a few queries.

    Args:
        output: Folder for ``model/``, ``store/`` and ``report.json``. An earlier demo there is replaced, nothing else.
        seed: Seed of the run.

    Returns:
        Report, answers and a tree.

    Raises:
        UserError: The folder holds something that no demo wrote, or there are no docstrings to learn from.
    """
    started = time.monotonic()
    output = output.expanduser()
    _require_own(output)
    corpus = open_docstrings()
    collection = docs_collection(corpus)
    with RunFolder(output / "model").sole_writer("demo"):
        _clear(output)
        return _made(output, len(corpus.docstrings), collection, started=started, seed=seed)


def _made(output: Path, num_docstrings: int, collection: Collection, *, started: float, seed: int) -> Demo:
    """Train, score, index, ask, and write the report."""
    model_path, store_path, report_path = output / "model", output / "store", output / "report.json"
    model = train(str(shipped_recipes()[_RECIPE]), "docs:train", model_path, seed=seed, overwrite=True)
    retrieval = _retrieval(model, collection, seed=seed)
    indexed = index(model, open_source("docs:"), store_path, model_path=model_path)
    search = SemanticSearch(store_path)
    answers = {query: search.search(query, k=_HITS) for query in _QUERIES}
    trained_on = RunFolder(model_path).record()
    report = {
        "seconds": round(time.monotonic() - started, 1),
        "corpus": {
            "docstrings": num_docstrings,
            "texts_indexed": indexed.num_rows,
            "training": trained_on["sources"],
            "sha256": trained_on["data_hashes"],
            "queries": len(collection.queries),
        },
        "retrieval": {name: _as_json(score) for name, score in retrieval.items()},
        "paths": {"model": str(model_path), "store": str(store_path), "report": str(report_path)},
        "versions": installed_versions(),
    }
    write_text(report_path, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return Demo(report=report, answers=answers, tree=sentence_tree(model, _SENTENCE).drawn("text"))


def _require_own(output: Path) -> None:
    """Refuse a folder that holds anything and no earlier demo, whole or half."""
    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file; name a folder with --output")
    found = visible_names(output)
    has_only_begun = found == {"model"} and not visible_names(output / "model")
    if found and not has_only_begun and not _is_demo(output):
        raise UserError(f"{output} holds {listed(found)}, and no earlier demo; name another --output")


def _is_demo(output: Path) -> bool:
    try:
        return RunFolder(output / "model").record().get("recipe", {}).get("name") == _RECIPE
    except UserError:  # the record is cut: the report tells as well
        report = output / "report.json"
        return report.is_file() and _NAMES.keys() == _scores_of(report).keys()


def _scores_of(report: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(report.read_text("utf8"))["retrieval"])
    except (ValueError, TypeError, KeyError):
        return {}


def _clear(output: Path) -> None:
    """Remove what an earlier demo wrote beside its model, which the training replaces."""
    shutil.rmtree(output / "store", ignore_errors=True)
    (output / "report.json").unlink(missing_ok=True)


def _retrieval(model: SentenceTransformer, collection: Collection, *, seed: int) -> dict[str, Score]:
    """Score finding the rest of a held-out docstring by its first sentence: the model, and what it is held against."""
    averaged = averaged_table(model)
    if averaged is None:
        raise UserError("the demo's model has no embedding table to average; its recipe must be a tree model")
    held_against = {"trained": model, "untrained": untrained(model, seed=seed), "averaged": averaged, "bm25": BM25()}
    return {name: score_collection(one, collection, SuiteOptions()) for name, one in held_against.items()}


def _as_json(score: Score) -> dict[str, Any]:
    recall = next((value for name, value in score.also.items() if name == "recall@10"), None)
    return {"ndcg@10": score.value, "recall@10": recall, "ci95": score.ci95 and list(score.ci95)}


def render(demo: Demo) -> list[RenderableType]:
    """Lay a demo out for the terminal."""
    report = demo.report
    answers = [
        Group(plain(query, "bold"), Padding(render_hits(hits), (0, 0, 1, 2))) for query, hits in demo.answers.items()
    ]
    written = [f"  {name}: {path}" for name, path in report["paths"].items()]
    return [
        _table(report),
        "",
        *answers,
        plain("The tree of a sentence", "bold"),
        demo.tree,
        "",
        f"Done in {report['seconds']:.0f} s. Written:",
        *written,
        f'Next: selfsent search {report["paths"]["store"]} "your question"',
    ]


def _table(report: Mapping[str, Any]) -> TextTable:
    corpus = report["corpus"]
    table = TextTable(
        title=f"Finding the rest of a docstring by its first sentence ({corpus['queries']:,} held-out docstrings)",
        caption="x100; nDCG@10 with its 95% interval",
    )
    for heading in ("", "nDCG@10", "95% interval", "recall@10"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, scores in report["retrieval"].items():
        interval = "-" if scores["ci95"] is None else " to ".join(f"{100 * bound:.1f}" for bound in scores["ci95"])
        recall = "-" if scores["recall@10"] is None else f"{100 * scores['recall@10']:.1f}"
        table.add_row(_NAMES[name], f"{100 * scores['ndcg@10']:.1f}", interval, recall)
    return table
