"""Builds from a teacher and from a transformer, and within how many minutes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import SENTENCES
from tests.document_build.small_corpus import request, write_folder
from tests.modules.transformer_models import write_bert

from selfsent.document_build import BuildRequest, build
from selfsent.errors import UserError
from selfsent.evaluation.baselines import untrained
from selfsent.loading import load
from selfsent.search.semantic_search import SemanticSearch

pytest.importorskip("lancedb")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources") / "texts"
    write_folder(folder)
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), SENTENCES)


def test_a_teacher_makes_a_static_model_of_its_width_that_resembles_it(texts: Path, tmp_path: Path):
    build(request(texts, tmp_path / "first", base="static", minutes=1))
    teacher = tmp_path / "first" / "model"
    report = build(request(texts, tmp_path / "taught", teacher=str(teacher), minutes=1))
    assert report["retrieval"].keys() == {"hybrid", "trained", "untrained", "bm25"}
    assert (report["base"], report["teacher"]) == ("static", str(teacher))
    student, its_teacher = load(tmp_path / "taught" / "model", device="cpu"), load(teacher, device="cpu")
    asked = ["the violin of the island", "a garden in spring", "who looks after the engine?"]
    wanted = its_teacher.encode(asked, normalize_embeddings=True)
    cosines = {
        name: float(np.mean(np.sum(model.encode(asked, normalize_embeddings=True) * wanted, axis=1)))
        for name, model in {"student": student, "untrained": untrained(student)}.items()
    }
    assert cosines["student"] > cosines["untrained"] + 0.3
    cache = next((tmp_path / "taught" / ".build" / "teacher").iterdir())
    num_keys = (cache / "keys.bin").stat().st_size // 8
    assert num_keys == len(set(np.fromfile(cache / "keys.bin", dtype=np.uint64))) >= 64


@pytest.mark.slow
@pytest.mark.parametrize("is_better_as_it_is", [False, True])
def test_a_transformer_learns_from_documents_or_stays_as_it_is_where_that_is_better(
    texts: Path, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_better_as_it_is: bool
):
    measured = _Measured(1.0 if is_better_as_it_is else -1.0)
    monkeypatch.setattr("selfsent.document_build.learning.own_documents_evaluator", lambda *_: (measured, None))
    report = build(request(texts, tmp_path / "out", base=str(bert), minutes=5))
    assert report["retrieval"].keys() == {"hybrid", "trained", "untrained", "averaged", "bm25"}
    assert any("the search uses it as it is" in note for note in report["notes"]) == is_better_as_it_is
    assert (tmp_path / "out" / "model" / "config.json").is_file()
    start, model = load(bert, device="cpu"), load(tmp_path / "out" / "model", device="cpu")
    is_equal = np.allclose(start.encode(["the river"]), model.encode(["the river"]), atol=1e-6)
    assert is_equal == is_better_as_it_is
    assert SemanticSearch(tmp_path / "out" / "store", device="cpu").search("violin", k=1)


class _Measured:
    """Gives the base, before it learned, a value of its own."""

    primary_metric = "own_documents"

    def __init__(self, value: float) -> None:
        self._value = value

    def __call__(self, _: Any) -> dict[str, float]:
        return {self.primary_metric: self._value}


def test_one_document_is_searchable_with_a_teacher_and_with_a_transformer(bert: Path, tmp_path: Path):
    (tmp_path / "one.txt").write_text("The violin sleeps in winter. Nobody forgets it.", "utf8")
    for name, options in {"taught": {"teacher": str(bert)}, "transformer": {"base": str(bert)}}.items():
        report = build(request(tmp_path / "one.txt", tmp_path / name, minutes=0.1, **options))
        assert "retrieval" not in report
        assert SemanticSearch(tmp_path / name / "store", device="cpu").search("violin", k=1)


def test_minutes_that_are_over_at_once_leave_a_model_of_one_epoch(texts: Path, tmp_path: Path):
    report = build(request(texts, tmp_path / "out", base="static", minutes=1e-9))
    assert [row["step"] for row in report["curve"]] == [0, 1]
    record = json.loads((tmp_path / "out" / "model" / "run.json").read_text("utf8"))
    assert record["arguments"]["num_train_epochs"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "m", "teacher": "t"}, "--model m is ready and learns nothing; leave out --teacher"),
        ({"model": "m", "base": "tree"}, "--model m is ready and learns nothing; leave out --base"),
        ({"teacher": "t", "base": "tree"}, "--teacher makes a static model; leave out --base tree"),
        ({"minutes": 0.0}, "--minutes must be above 0, got 0"),
    ],
)
def test_options_that_contradict_each_other_are_refused(tmp_path: Path, options: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        BuildRequest(source="texts", output=tmp_path, **options)
