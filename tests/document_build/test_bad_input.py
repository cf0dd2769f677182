"""Builds of what people really have: each ends with a working search, or with one line that says why there is none."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.document_build.small_corpus import PLACES, THINGS, request, text
from tests.documents.made_files import archive, pdf

from selfsent.document_build import build
from selfsent.errors import UserError
from selfsent.search.semantic_search import SemanticSearch

pytest.importorskip("lancedb")
pytest.importorskip("pypdfium2")


def first_hit(output: Path, query: str) -> str:
    return SemanticSearch(output / "store", device="cpu").search(query, k=1)[0].text


@pytest.mark.slow
def test_a_folder_of_bad_files_and_a_few_good_ones_becomes_a_search_of_the_good_ones(tmp_path: Path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for thing, place in zip(THINGS, PLACES, strict=True):
        (folder / f"{thing} и 水 {place}.md").write_text(f"# The {thing}\n\n{text(thing, place)}\n", "utf8")
    (folder / os.fsdecode(b"bytes \xff.txt")).write_text("A zeppelin lands here. Nobody has seen it before.", "utf8")
    (folder / "million.txt").write_text("The word is said again. " * 200_000, "utf8")
    (folder / "secret.pdf").write_bytes(pdf([["x"]], password="p"))
    (folder / "scanned.pdf").write_bytes(pdf([[]]))
    (folder / "broken.docx").write_bytes(b"PK\x03\x04 and no more")
    (folder / "bomb.docx").write_bytes(archive({"word/document.xml": bytes(40 * 2**20)}))
    (folder / "circle").symlink_to(folder)
    report = build(request(folder, tmp_path / "out", minutes=0.2))
    skipped = [json.loads(line) for line in (tmp_path / "out" / "skipped.jsonl").read_text("utf8").splitlines()]
    assert {one["file"]: one["reason"] for one in skipped} == {
        "secret.pdf": "password",
        "scanned.pdf": "no text in it (scanned?)",
        "broken.docx": "broken",
        "bomb.docx": "too large when unpacked",
    }
    assert report["documents"]["read"] == len(THINGS) + 2
    assert report["corpus"]["words"] > 1_000_000
    assert report["corpus"]["passages"] > 1000
    assert "zeppelin" in first_hit(tmp_path / "out", "zeppelin")
    assert "violin" in first_hit(tmp_path / "out", "violin")


@pytest.mark.parametrize(
    ("texts", "query"),
    [
        (["The violin sleeps in winter. Nobody forgets it."] * 30, "violin"),
        ([f"The {thing} of the {place} is old." for thing in THINGS for place in PLACES], "violin island"),
        ([f"Das {thing}" for thing in THINGS], "Das violin"),
        (["\u6cb3\u5ddd\u5f88\u53e4\u8001\u3002\u51ac\u5929\u5b83\u4f1a\u7ed3\u51b0\u3002" + chr(0x4E00 + number) * 3
          for number in range(40)], "\u6cb3\u5ddd"),
    ],
    ids=["all equal", "single sentences", "two words each", "no spaces"],
)  # fmt: skip
def test_unusual_documents_end_with_a_working_search(tmp_path: Path, texts: list[str], query: str):
    rows = ({"_id": f"d{number}", "text": one} for number, one in enumerate(texts))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    report = build(request(tmp_path / "rows.jsonl", tmp_path / "out", minutes=0.2))
    assert report["documents"]["read"] == len(texts)
    assert query.rsplit(maxsplit=1)[-1] in first_hit(tmp_path / "out", query)


def test_a_folder_of_images_says_in_one_line_that_there_is_nothing_to_read(tmp_path: Path):
    (tmp_path / "photos").mkdir()
    for number in range(3):
        (tmp_path / "photos" / f"{number}.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(UserError, match=r"holds 3 files \(3 of \.jpg\), none of a known format; known are") as error:
        build(request(tmp_path / "photos", tmp_path / "out"))
    assert "\n" not in str(error.value)


def test_only_unreadable_documents_say_in_one_line_why(tmp_path: Path):
    (tmp_path / "secret.pdf").write_bytes(pdf([["x"]], password="p"))
    with pytest.raises(UserError, match=r"holds no document that can be read: 1 x password; the first is secret\.pdf"):
        build(request(tmp_path / "secret.pdf", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_document_that_goes_while_the_folder_is_read_is_named_and_the_rest_is_searchable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "texts"
    folder.mkdir()
    for thing, place in zip(THINGS, PLACES, strict=True):
        (folder / f"{thing}.md").write_text(text(thing, place), "utf8")
    opened = Path.open

    def open_and_remove(path: Path, *arguments: object, **options: object) -> Any:
        if path.name == "bridge.md":  # the first that is read
            (folder / "violin.md").unlink(missing_ok=True)
        if path.name == "river.md":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)  # pyright: ignore[reportArgumentType, reportCallIssue]

    monkeypatch.setattr(Path, "open", open_and_remove)
    report = build(request(folder, tmp_path / "out", minutes=0.2))
    reasons = {reason: found["files"] for reason, found in report["documents"]["skipped"].items()}
    assert reasons == {"changed while it was read": ["violin.md"], "no permission": ["river.md"]}
    assert "garden" in first_hit(tmp_path / "out", "garden")
