"""A build, start to end, on a small folder; again when it changes; and what it says where it cannot."""

import json
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.document_build.small_corpus import PLACES, THINGS, request, text, write_folder
from tests.documents.made_files import pdf

from selfsent.document_build import build
from selfsent.document_report.headline import nothing_new
from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.search.semantic_search import SemanticSearch

pytest.importorskip("lancedb")
pytest.importorskip("pypdfium2")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """Source, output and report of a build."""
    folder = tmp_path_factory.mktemp("my build")
    write_folder(folder / "texts")
    return folder / "texts", folder / "out", build(request(folder / "texts", folder / "out"))


def test_the_report_has_the_form_that_scripts_rely_on(built: tuple[Path, Path, dict[str, Any]]):
    _, output, _ = built
    report = json.loads((output / "report.json").read_text("utf8"))
    assert report["retrieval"].keys() == {"hybrid", "trained", "topics", "untrained", "averaged", "bm25"}
    for scores in report["retrieval"].values():
        low, high = scores["ci95"]
        assert 0 <= low <= scores["ndcg@10"] <= high <= 1
        assert 0 <= scores["found_first"] <= scores["ndcg@10"] <= scores["recall@10"] <= 1
    assert 0 <= report["fusion_weight"] <= 1
    assert report["changes"] == {"new": 64, "updated": 0, "removed": 0, "unchanged": 0}
    assert report["documents"]["read"] == report["corpus"]["documents"] == 64
    assert report["documents"]["skipped"]["broken"] == {"count": 1, "files": ["broken.docx"]}
    assert {row["over"] for row in report["differences"] if row["of"] == "hybrid"} >= {"trained", "bm25"}
    assert set(report["retrieval_by_part"]) <= {"title", "first sentence", "random sentence"}


def test_the_next_commands_can_be_pasted_where_folders_have_spaces(built: tuple[Path, Path, dict[str, Any]]):
    source, output, report = built
    search, again = (shlex.split(step, comments=True) for step in report["next"])
    assert search == ["selfsent", "search", str(output), "your question"]
    assert again == ["selfsent", "build", str(source), "--output", str(output)]


def test_the_page_the_model_and_the_store_stand_in_the_folder(built: tuple[Path, Path, dict[str, Any]]):
    _, output, _ = built
    assert "<html" in (output / "report.html").read_text("utf8")
    assert (output / "model" / "modules.json").is_file()
    assert not (output / "model" / "checkpoints").exists()
    skipped = [json.loads(line)["file"] for line in (output / "skipped.jsonl").read_text("utf8").splitlines()]
    assert {"broken.docx", "picture.png"} <= set(skipped)


def test_what_was_built_finds_documents_by_words_and_meaning(built: tuple[Path, Path, dict[str, Any]]):
    _, output, _ = built
    first = SemanticSearch(output / "store", device="cpu").search("the violin of the island", k=1)[0]
    assert "violin" in first.text
    assert "island" in first.text


def test_a_second_build_of_a_changed_folder_adds_and_forgets_and_keeps_the_model(
    built: tuple[Path, Path, dict[str, Any]], tmp_path: Path
):
    source, output, _ = built
    shutil.copytree(source.parent, tmp_path / "copy")
    source, output = tmp_path / "copy" / "texts", tmp_path / "copy" / "out"
    weights = (output / "model" / "model.safetensors").read_bytes()
    (source / "river north.md").unlink()
    (source / "river south.md").write_text("# New\n\nA zeppelin lands here. Nobody has seen one before.\n", "utf8")
    (source / "added.txt").write_text("A submarine dives below the ice. It comes up again at noon.", "utf8")
    report = build(request(source, output))
    assert report["changes"] == {"new": 1, "updated": 1, "removed": 1, "unchanged": 62}
    assert (output / "model" / "model.safetensors").read_bytes() == weights
    search = SemanticSearch(output / "store", device="cpu")
    found = {hit.text for query in ("zeppelin", "submarine", "river north") for hit in search.search(query, k=20)}
    assert any("zeppelin" in one for one in found)
    assert any("submarine" in one for one in found)
    assert not any("river of the north" in one for one in found)


def test_a_folder_of_another_name_takes_the_place_of_the_former(
    built: tuple[Path, Path, dict[str, Any]], tmp_path: Path
):
    source, output, whole = built
    shutil.copytree(source.parent, tmp_path / "copy")
    output = tmp_path / "copy" / "out"
    (tmp_path / "copy" / "texts").rename(tmp_path / "other")
    (tmp_path / "other" / "river north.md").unlink()
    index = SemanticSearch(output / "store", device="cpu")
    assert any("river of the north" in hit.text for hit in index.search("river north", k=20))
    report = build(request(tmp_path / "other", output))
    assert report["documents"]["passages"] == whole["documents"]["passages"] - 1
    hits = SemanticSearch(output / "store", device="cpu").search("river north", k=20)
    assert len({hit.text for hit in hits}) == len(hits)
    assert not any("river of the north" in hit.text for hit in hits)


def test_documents_of_a_file_that_became_unreadable_stay_and_are_counted_as_kept(
    built: tuple[Path, Path, dict[str, Any]], tmp_path: Path
):
    source, _, _ = built
    shutil.copytree(source.parent, tmp_path / "copy")
    source, output = tmp_path / "copy" / "texts", tmp_path / "copy" / "out"
    (source / "river north.md").unlink()
    (source / "lamp.pdf").write_bytes(pdf([["A lamp stands here. It is seldom lit by anybody."]]))
    assert build(request(source, output))["changes"] == {"new": 1, "updated": 0, "removed": 1, "unchanged": 63}
    (source / "lamp.pdf").write_bytes(pdf([["x"]], password="p"))
    report = build(request(source, output))
    assert report["changes"] == {
        "new": 0, "updated": 0, "removed": 0, "unchanged": 63, "kept, since unreadable now": 1,
    }  # fmt: skip
    assert SemanticSearch(output / "store", device="cpu").search("lamp lit", k=1)[0].document == "lamp.pdf"


def test_a_model_of_far_fewer_documents_than_there_are_is_noted(
    built: tuple[Path, Path, dict[str, Any]], tmp_path: Path
):
    source, _, _ = built
    shutil.copytree(source.parent, tmp_path / "copy")
    source, output = tmp_path / "copy" / "texts", tmp_path / "copy" / "out"
    for number in range(7):
        (source / f"more {number}.txt").write_text(f"A lamp of kind {number} stands here. It is seldom lit.", "utf8")
    (note,) = (note for note in build(request(source, output))["notes"] if "--retrain" in note)
    assert note.startswith("the model and its figures are of the 64 documents that it learned from, and there are 71")


def test_a_build_with_nothing_new_changes_nothing_and_says_when_it_was_measured(
    built: tuple[Path, Path, dict[str, Any]],
):
    source, output, first = built
    before = (output / "model" / "model.safetensors").stat().st_mtime_ns
    report = build(request(source, output))
    assert report["changes"] == {"new": 0, "updated": 0, "removed": 0, "unchanged": 64}
    assert (first["learned_now"], report["learned_now"]) == (True, False)
    assert report["measured"] == first["measured"] <= first["created"]
    assert nothing_new(report).startswith("Nothing has changed since the last build of 64 documents. The figures of")
    assert (output / "model" / "model.safetensors").stat().st_mtime_ns == before


def test_other_settings_are_refused_without_retrain(built: tuple[Path, Path, dict[str, Any]]):
    source, output, _ = built
    with pytest.raises(
        UserError,
        match="was built with base tree, seed 42, and base static, seed 42 is asked for; say --base tree --seed 42",
    ):
        build(request(source, output, base="static"))


def test_a_build_that_was_killed_while_learning_goes_on(
    built: tuple[Path, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source, _, whole = built
    monkeypatch.setattr("selfsent.document_build.learning.cut_curves", _killed)
    with pytest.raises(KeyboardInterrupt):
        build(request(source, tmp_path / "out"))
    monkeypatch.undo()
    trained = (tmp_path / "out" / ".build" / "measured" / "model.safetensors").stat().st_mtime_ns
    report = build(request(source, tmp_path / "out"))
    assert report["retrieval"] == whole["retrieval"]
    assert report["changes"] == whole["changes"]
    assert (tmp_path / "out" / ".build" / "measured" / "model.safetensors").stat().st_mtime_ns == trained


@pytest.mark.slow
def test_a_build_that_the_system_killed_ends_as_one_that_nobody_killed(
    built: tuple[Path, Path, dict[str, Any]], tmp_path: Path
):
    source, output, whole = built
    program = (
        "import os, signal, sys; from selfsent.document_build import BuildRequest, build, building;"
        "building.index_documents = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL);"
        "build(BuildRequest(source=sys.argv[1], output=sys.argv[2], device='cpu'))"
    )
    killed = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", program, str(source), str(killed)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    report = build(request(source, killed))
    for name in ("changes", "retrieval", "fusion_weight", "documents"):
        assert report[name] == whole[name]
    weights = [(folder / "model" / "model.safetensors").read_bytes() for folder in (output, killed)]
    assert weights[0] == weights[1]


def _killed(*_: Any, **__: Any) -> float:
    raise KeyboardInterrupt


def test_a_folder_of_somebody_is_refused_and_left_alone(tmp_path: Path):
    write_folder(tmp_path / "texts")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine", "utf8")
    with pytest.raises(UserError, match=r"taken holds notes\.txt and no build of selfsent"):
        build(request(tmp_path / "texts", tmp_path / "taken"))
    assert [entry.name for entry in (tmp_path / "taken").iterdir()] == ["notes.txt"]


def test_a_static_model_and_a_ready_one_are_built_with_as_well(
    built: tuple[Path, Path, dict[str, Any]], tmp_path: Path
):
    source, _, _ = built
    static = build(request(source, tmp_path / "static", base="static"))
    assert static["retrieval"].keys() == {"hybrid", "trained", "topics", "untrained", "bm25"}
    ready = build(request(source, tmp_path / "ready", model=str(tmp_path / "static" / "model")))
    assert ready["retrieval"].keys() == {"hybrid", "trained", "bm25"}
    assert "curve" not in ready
    for report, option in ((static, ["--base", "static"]), (ready, ["--model", str(tmp_path / "static" / "model")])):
        assert shlex.split(report["next"][1], comments=True)[-2:] == option
    with pytest.raises(UserError, match=rf"its model is {tmp_path}/static/model$"):
        load(tmp_path / "static")


def test_a_build_without_lancedb_is_refused_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    (tmp_path / "notes.md").write_text("The violin is old.", "utf8")
    with pytest.raises(UserError, match=r"pip install 'selfsent\[search\]'"):
        build(request(tmp_path / "notes.md", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("documents", [1, 3])
def test_few_documents_give_a_search_and_say_that_nothing_was_measured(tmp_path: Path, documents: int):
    (tmp_path / "texts").mkdir()
    for number in range(documents):
        (tmp_path / "texts" / f"{number}.txt").write_text(text(THINGS[number], PLACES[number]), "utf8")
    report = build(request(tmp_path / "texts", tmp_path / "out"))
    assert "retrieval" not in report
    assert SemanticSearch(tmp_path / "out" / "store", device="cpu").search("winter comes", k=1)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({}, "holds 1 files"),
        ({"teacher": "./no/teacher"}, "no/teacher"),
        ({"model": "./no/model"}, "no/model"),
        ({"base": "./no/base"}, "no model at ./no/base"),
    ],
)
def test_a_build_that_fails_before_it_did_anything_leaves_no_folder(tmp_path: Path, options: dict[str, Any], what: str):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "one.png").write_bytes(b"\x89PNG")
    with pytest.raises(UserError, match=what):
        build(request(tmp_path / "pictures", tmp_path / "out", **options))
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError, match=what):
        build(request(tmp_path / "pictures", tmp_path / "mine", **options))
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_failing_build_leaves_what_an_earlier_one_made(built: tuple[Path, Path, dict[str, Any]], tmp_path: Path):
    _, output, _ = built
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.name != ".writer.lock"}
    with pytest.raises(UserError, match="no file or folder"):
        build(request(tmp_path / "nothing", output))
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*") if path in before} == before
