"""The command ``export`` as a person types it: what it prints, what it refuses, that nothing half-written stays."""

import json
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.command_line import refused, typed
from tests.conftest import SENTENCES
from tests.evaluation.evaluation_data import STS_TASKS, write_jsonl
from tests.modules.transformer_models import open_bert, write_bert
from tests.runtime.host_models import saved
from transformers import PreTrainedTokenizerFast

import selfsent
from selfsent.errors import UserError
from selfsent.export import exporting
from selfsent.export.cost import Change, Cost
from selfsent.model_content import model_content_hash
from selfsent.search.semantic_search import SemanticSearch


@pytest.fixture
def model(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    """A saved tree model whose cell adds."""
    saved("sum", tiny_tokenizer, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """Documents of three sentences each."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(24):
        some = [SENTENCES[(number + step * 5) % 12] for step in range(3)]
        (folder / f"{number}.md").write_text(f"# Note {number}\n\n{' '.join(some)} Number {number}.\n", "utf8")
    return folder


def write_sts7(folder: Path) -> Path:
    """The seven tasks, each of the same few pairs with scores that differ."""
    pairs = [(SENTENCES[one], SENTENCES[other], one + other / 12) for one in range(5) for other in range(6, 12)]
    rows = [{"sentence1": one, "sentence2": other, "score": score} for one, other, score in pairs]
    for task in STS_TASKS:
        write_jsonl(folder / "sts" / task / "test.jsonl", rows)
    return folder


def left_behind(folder: Path) -> set[str]:
    """What stands in a folder, hidden things too."""
    return {path.name for path in folder.iterdir()}


def test_int8_prints_what_it_costs_and_is_searched_with(model: Path, documents: Path, tmp_path: Path) -> None:
    done = typed("export", model, "--format", "int8", "--data", documents, "--output", tmp_path / "small")
    assert done.code == 0
    size, speed, quality, written = done.out.splitlines()
    assert "% " not in size
    assert size.startswith("size: 0.0 MB before")
    assert "texts a second of processor time before" in speed
    assert quality.startswith("own-documents, nDCG@10: ")
    assert written == f"model of 24 dimensions written to {tmp_path / 'small'}"
    assert selfsent.index(tmp_path / "small", documents, tmp_path / "store").num_documents == 24
    assert SemanticSearch(tmp_path / "store").search("Note 7", 1)[0].document == "7.md"
    record = json.loads((tmp_path / "small" / "export.json").read_text("utf8"))
    assert record["model_hash"] == model_content_hash(model)
    assert (record["format"], record["dimensions"], record["dimension"]) == ("int8", None, 24)
    assert record["cost"]["sts7"] is None
    assert record["cost"]["bytes"]["after"] < record["cost"]["bytes"]["before"]


def test_sts7_is_measured_and_decides_where_its_data_is_there(model: Path, documents: Path, tmp_path: Path) -> None:
    data = write_sts7(tmp_path / "data")
    options = ("--data", documents, "--data-dir", data)
    done = typed("export", model, "--format", "static", *options, "--output", tmp_path / "small")
    assert done.code == 0
    lines = done.out.splitlines()
    before, after = json.loads((tmp_path / "small" / "export.json").read_text("utf8"))["cost"]["sts7"].values()
    assert before == pytest.approx(after, abs=1e-6)
    assert lines[2] == f"sts7: {100 * before:.2f} before, {100 * after:.2f} after (+0.00)" or "(-0.00)" in lines[2]
    assert lines[3].startswith("own-documents")
    expected = selfsent.evaluate(selfsent.load(model), "sts", data).means()["sts7"]
    assert before == pytest.approx(expected, abs=1e-6)


def test_without_anything_to_measure_on_it_says_so_and_writes(model: Path, tmp_path: Path) -> None:
    done = typed("export", model, "--dimensions", "6", "--output", tmp_path / "small", "--max-loss", "0")
    assert done.code == 0
    assert "quality: not measured; name documents with --data" in done.out
    assert selfsent.load(tmp_path / "small").encode("cat").shape == (6,)


def test_documents_without_parts_are_told_and_it_writes(model: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("cat\ndog\n", "utf8")
    done = typed("export", model, "--format", "int8", "--data", tmp_path / "words.txt", "--output", tmp_path / "small")
    assert done.code == 0
    assert any(line.startswith("own-documents was not measured: ") for line in done.notes)
    assert "quality: not measured" in done.out


def test_what_loses_too_much_is_not_written(model: Path, documents: Path, tmp_path: Path) -> None:
    before = left_behind(tmp_path)
    options = ("--dimensions", "1", "--data", documents, "--output", tmp_path / "small")
    ended = typed("export", model, *options)
    refused(ended, "loses", "points of own-documents", "--max-loss allows 1;", "nothing was written")
    assert left_behind(tmp_path) == before
    assert typed("export", model, *options, "--max-loss", "100").code == 0


def test_sts7_decides_and_not_the_documents() -> None:
    change, loss = Change(before=0.5, after=0.5), Change(before=0.9, after=0.1)
    size = Change(before=1, after=1)
    cost = Cost(num_bytes=size, texts_a_second=size, sts7=change, own_documents=loss)
    assert cost.judged == ("sts7", change)
    exporting._require_little_lost(cost, 0)
    with pytest.raises(UserError, match=r"loses 80.00 points of own-documents \(90.00 before, 10.00 after\)"):
        exporting._require_little_lost(Cost(num_bytes=size, texts_a_second=size, sts7=None, own_documents=loss), 1)
    nothing = Change(before=0.5, after=float("nan"))
    with pytest.raises(UserError, match="loses nan points"):
        exporting._require_little_lost(Cost(num_bytes=size, texts_a_second=size, sts7=nothing, own_documents=None), 1)


def test_an_interruption_leaves_nothing(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = left_behind(tmp_path)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "measured_cost", interrupted)
    with pytest.raises(KeyboardInterrupt):
        selfsent.export_model(model, tmp_path / "small", format="int8")
    assert left_behind(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "nothing to export: name --format static, int8 or onnx, or --dimensions N"),
        (("--format", "int4"), "'int4'"),
        (("--dimensions", "0"), "--dimensions must be 1 or more, got 0"),
        (("--dimensions", "25"), "--dimensions must be at most the model's 24, got 25"),
        (("--format", "static", "--reduction", "truncate"), "needs --dimensions N"),
        (("--format", "static", "--reduction", "random"), "'random'"),
        (("--format", "static", "--max-loss", "-1"), "--max-loss must be 0 points or more, got -1"),
        (("--format", "static", "--max-loss", "nan"), "--max-loss must be 0 points or more, got nan"),
        (("--format", "onnx"), "--format onnx is for transformers, got a model that begins with TreeEncoder"),
        (("--dimensions", "6", "--data", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line(
    model: Path, tmp_path: Path, options: tuple[str, ...], reason: str
) -> None:
    before = left_behind(tmp_path)
    refused(typed("export", model, "--output", tmp_path / "small", *options), reason)
    assert left_behind(tmp_path) == before


def test_a_model_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    refused(typed("export", tmp_path / "nowhere", "--format", "int8", "--output", tmp_path / "small"), "no model at")


def test_a_transformer_needs_texts_for_its_directions_and_has_no_int8(
    tmp_path: Path, sentences: list[str], documents: Path
) -> None:
    bert = open_bert(write_bert(tmp_path / "bert", sentences))
    transformer = SentenceTransformer(modules=[bert, Pooling(16)], device="cpu")
    transformer.save_pretrained(str(tmp_path / "transformer"))
    place = ("--output", tmp_path / "small")
    refused(typed("export", tmp_path / "transformer", "--dimensions", "4", *place), "needs texts", "--data SOURCE")
    refused(typed("export", tmp_path / "transformer", "--format", "int8", *place), "got a transformer", "--format onnx")
    made = selfsent.export_model(
        tmp_path / "transformer", tmp_path / "small", format="onnx", dimensions=4, data=str(documents), max_loss=100
    )
    assert made.dimension == 4
    found = selfsent.load(tmp_path / "small").encode(sentences)
    assert found.shape == (12, 4)
    cut = selfsent.export_model(tmp_path / "transformer", tmp_path / "cut", dimensions=4, reduction="truncate")
    expected = np.asarray(transformer.encode(sentences))[:, :4]
    assert np.allclose(selfsent.load(cut.output).encode(sentences), expected, atol=1e-5)


def test_an_output_that_exists_is_kept_unless_a_model_is_to_be_replaced(model: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    options = ("--format", "int8", "--output", small)
    assert typed("export", model, *options).code == 0
    refused(typed("export", model, *options), "exists already", "--overwrite")
    assert typed("export", model, "--format", "static", "--output", small, "--overwrite").code == 0
    assert json.loads((small / "export.json").read_text("utf8"))["format"] == "static"
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "letter.txt").write_text("Dear", "utf8")
    for place in (tmp_path / "letters", tmp_path / "letters" / "letter.txt"):
        refused(typed("export", model, "--format", "int8", "--output", place, "--overwrite"), "letter")
    assert (tmp_path / "letters" / "letter.txt").read_text("utf8") == "Dear"
    refused(typed("export", model, "--format", "int8", "--output", model, "--overwrite"), "is the model itself")
    refused(typed("export", model, "--format", "int8", "--output", tmp_path, "--overwrite"), "or holds it")
    assert selfsent.load(model).encode("cat").shape == (24,)


def test_documents_of_one_sentence_each_are_no_measure(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "lines.txt").write_text("\n".join(f"{text} {number}" for number, text in enumerate(SENTENCES * 8)))
    report = selfsent.export_model(model, tmp_path / "int8", format="int8", data=str(tmp_path / "lines.txt"))
    assert report.cost.own_documents is None
    assert any("quality: not measured" in line for line in report.lines())
