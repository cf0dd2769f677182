"""The demo, start to end, on the docstrings of one made-up package."""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import Outcome, refused, typed

from selfsent import load
from selfsent.data import docs
from selfsent.demo import _clear_former
from selfsent.document_build.build_folder import BuildFolder
from selfsent.loading import model_content_hash

pytest.importorskip("lancedb")

ACTIONS = ("return", "compute", "remove", "compare", "write", "read")
THINGS = ("the lines", "the names", "a gradient", "every row", "the words", "a list", "some files", "both ends")
WAYS = ("one after another", "without a copy", "in a fixed order", "as numbers", "from the end", "at once")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Where a demo was written to, and what it printed."""

    output: Path
    said: Outcome

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.output / "report.json").read_text("utf8"))


def docstring(action: str, thing: str, way: str) -> str:
    """Three sentences; only the last one stands in every docstring."""
    first = f"{action.capitalize()} {thing} of the text, {way}."
    second = f"When asked to {action} {thing}, it works {way} and keeps the order."
    return f"{first}\n\n    {second} Missing values are left out of the result.\n    "


def write_package(folder: Path) -> None:
    """A package of 288 functions."""
    functions = [
        f'def f{number}():\n    """{docstring(*words)}"""\n'
        for number, words in enumerate(itertools.product(ACTIONS, THINGS, WAYS))
    ]
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("\n".join(functions), encoding="utf8")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder beside a machine on which one package is installed."""
    folder = tmp_path_factory.mktemp("demo")
    write_package(folder / "site" / "made_up")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(docs, "package_folders", lambda: [folder / "site"])
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def shown(home: Path) -> Shown:
    said = typed("demo", "--output", home / "out")
    assert said.code == 0, said
    return Shown(output=home / "out", said=said)


def test_the_report_has_the_form_that_scripts_rely_on(shown: Shown):
    report = shown.report
    assert {"seconds", "corpus", "retrieval", "paths", "versions"} <= report.keys()
    assert report["retrieval"].keys() == {"hybrid", "trained", "topics", "untrained", "averaged", "bm25"}
    for scores in report["retrieval"].values():
        low, high = scores["ci95"]
        assert 0 <= low <= scores["ndcg@10"] <= high <= 1
        assert scores["ndcg@10"] <= scores["recall@10"] <= 1
    assert report["corpus"]["documents"] == 288
    assert report["corpus"]["queries"] > 5
    assert report["seconds"] > 0
    assert "selfsent" in report["versions"]
    assert {name: Path(path) for name, path in report["paths"].items()} == {
        "model": shown.output / "model",
        "store": shown.output / "store",
        "report": shown.output / "report.json",
        "page": shown.output / "report.html",
    }
    names = {entry.name for entry in shown.output.iterdir() if not entry.name.startswith(".")}
    assert names == {"model", "store", "report.json", "report.html", "skipped.jsonl"}


def test_held_out_docstrings_are_indexed(shown: Shown):
    assert shown.report["corpus"]["passages"] == 288
    assert 0 < shown.report["corpus"]["heldout_documents"] < 288


def test_scores_answers_a_tree_and_all_paths_are_printed(shown: Shown):
    text = shown.said.out
    for words in ("this model", "the same model, untrained", "BM25: words", "read a file line by line", "The tree of"):
        assert words in text
    assert "".join(text.split()).count(str(shown.output)) >= 4
    assert f"{100 * shown.report['retrieval']['trained']['ndcg@10']:.1f}" in text


def test_the_store_answers_and_the_model_opens(shown: Shown):
    query = "Compute a gradient of the text, in a fixed order."
    found = typed("search", shown.output / "store", query, "-k", "1")
    assert found.code == 0, found
    assert "fixed order" in found.out
    assert "made_up.f" in found.out
    assert load(shown.output / "model").encode([query]).shape == (1, 256)


def test_a_second_demo_replaces_its_own_output_and_nothing_else(shown: Shown):
    before, model_hash = shown.report, model_content_hash(shown.output / "model")
    (shown.output / "notes.txt").write_text("mine", encoding="utf8")
    (shown.output / "store" / "stale").write_text("of the first demo", encoding="utf8")
    again = typed("demo", "--output", shown.output, "--seed", "7")
    assert again.code == 0, again
    assert (shown.output / "notes.txt").read_text("utf8") == "mine"
    assert not (shown.output / "store" / "stale").exists()
    assert model_content_hash(shown.output / "model") != model_hash
    assert shown.report["corpus"] == before["corpus"]
    assert shown.report["retrieval"]["bm25"] == before["retrieval"]["bm25"]
    assert typed("search", shown.output / "store", "a gradient").code == 0


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(shown: Shown, home: Path):
    other = home / "other"
    (other / "model").mkdir(parents=True)
    (other / "model" / "config.json").write_text("{}", encoding="utf8")
    refused(typed("demo", "--output", other), "holds model", "no build of selfsent")
    assert (other / "model" / "config.json").read_text("utf8") == "{}"
    refused(typed("demo", "--output", home / "site" / "made_up" / "__init__.py"), "must be a folder", "__init__.py")


def test_a_demo_of_an_earlier_version_is_replaced(tmp_path: Path):
    folder = BuildFolder(tmp_path / "former")
    (folder.store / "texts.lance").mkdir(parents=True)
    folder.model.mkdir()
    record = {"status": "finished", "recipe": {"name": "demo", "method": "self-strae"}}
    (folder.model / "run.json").write_text(json.dumps(record), encoding="utf8")
    folder.report_json.write_text("{}", encoding="utf8")
    _clear_former(folder)
    folder.require_own()
    assert list(folder.path.iterdir()) == []


def test_a_machine_without_docstrings_is_told_so(home: Path, monkeypatch: pytest.MonkeyPatch):
    (home / "bare").mkdir()
    monkeypatch.setattr(docs, "package_folders", lambda: [home / "bare"])
    refused(typed("demo", "--output", home / "nothing"), "docs: is empty")
    assert not (home / "nothing" / "model").exists()
