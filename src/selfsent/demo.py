"""The demo: ``build`` on the docstrings of the installed packages, with a few queries."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding

from selfsent.document_build import BuildRequest, build
from selfsent.document_build.build_folder import BuildFolder
from selfsent.document_report import render as render_report
from selfsent.drawing.sentence import sentence_tree
from selfsent.errors import UserError
from selfsent.printed_text import plain
from selfsent.search.semantic_search import Hit, SemanticSearch, render_hits
from selfsent.training.run_folder import RunFolder

_SOURCE = "docs:"
_FORMER_RECIPE = "demo"
_HITS = 3
_QUERIES = (
    "read a file line by line",
    "compute the gradient of a function",
    "remove duplicates from a list",
)
_SENTENCE = "The function returns a new list with the names of all files in the folder."


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What a demo did, for the terminal.

    Args:
        report: What ``report.json`` holds.
        answers: The demo's queries and their answers.
        tree: The tree of one sentence, as text; empty where the model has none.
    """

    report: Mapping[str, Any]
    answers: Mapping[str, Sequence[Hit]]
    tree: str


def run(output: Path, *, seed: int = 42, base: str = "tree") -> Demo:
    """Build a search over the docstrings of the installed packages, and ask it a few queries.

    Args:
        output: Folder of the build. An earlier demo there is replaced, nothing else; one that was killed is continued.
        seed: Random seed.
        base: What the model is made of, ``tree`` or ``static``.

    Returns:
        Report, answers and a tree.

    Raises:
        UserError: The folder holds something that a demo did not write, or there are no docstrings to learn from.
    """
    folder = BuildFolder(output.expanduser().absolute())
    _clear_former(folder)
    report = build(BuildRequest(source=_SOURCE, output=output.expanduser(), base=base, seed=seed, retrain=True))
    search = SemanticSearch(folder.store)
    answers = {query: search.search(query, k=_HITS) for query in _QUERIES}
    tree = sentence_tree(search.model, _SENTENCE).drawn("text") if base == "tree" else ""
    return Demo(report=report, answers=answers, tree=tree)


def _clear_former(folder: BuildFolder) -> None:
    """Remove the output of a demo of an earlier version, which was not a build."""
    if folder.work.exists() or not (folder.model / "run.json").is_file():
        return
    try:
        recipe = RunFolder(folder.model).record().get("recipe", {}).get("name")
    except UserError:
        return
    if recipe == _FORMER_RECIPE:
        shutil.rmtree(folder.model)
        shutil.rmtree(folder.store, ignore_errors=True)
        folder.report_json.unlink(missing_ok=True)


def render(demo: Demo) -> list[RenderableType]:
    """Lay a demo out for the terminal."""
    answers = [
        Group(plain(query, "bold"), Padding(render_hits(hits), (0, 0, 1, 2))) for query, hits in demo.answers.items()
    ]
    tree = [plain("The tree of a sentence", "bold"), plain(demo.tree), plain("")] if demo.tree else [plain(_NO_TREE)]
    return [*answers, *tree, *render_report(demo.report)]


_NO_TREE = "A static model sees no structure in a sentence: no tree is shown.\n"
