import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from tests.conftest import SENTENCES

import selfsent
from selfsent.document_build import BuildRequest
from selfsent.errors import UserError
from selfsent.export.exporting import ExportRequest
from selfsent.front_door import BuildOptions, ExportOptions, IndexOptions
from selfsent.search.index_source import IndexRequest


@pytest.fixture
def model_folder(tiny_static_model: SentenceTransformer, tmp_path: Path) -> Path:
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    return tmp_path / "model"


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(dict.fromkeys(SENTENCES)) + "\n", "utf8")
    return path


def test_dir_shows_the_front_door() -> None:
    shown = dir(selfsent)
    assert {"build", "encode", "evaluate", "index", "load", "query", "train", "SemanticSearch"} <= set(shown)
    assert [name for name in shown if not hasattr(selfsent, name)] == []


def test_no_module_takes_the_name_of_a_function() -> None:
    package = Path(selfsent.__file__).parent
    functions = [name for name in selfsent.__all__ if name[0] != "_"]
    assert [name for name in functions if (package / name).exists() or (package / f"{name}.py").exists()] == []


@pytest.mark.parametrize(
    ("options", "request_class", "given"),
    [
        (BuildOptions, BuildRequest, {"source", "output"}),
        (ExportOptions, ExportRequest, {"model", "output"}),
        (IndexOptions, IndexRequest, {"source", "engine"}),
    ],
)
def test_the_options_of_a_function_are_those_of_its_request(
    options: type, request_class: type, given: set[str]
) -> None:
    fields = {field.name for field in dataclasses.fields(request_class)}
    assert set(options.__annotations__) == fields - given


def test_a_text_that_was_indexed_is_found_first(model_folder: Path, texts: Path, tmp_path: Path) -> None:
    report = selfsent.index(model_folder, texts, tmp_path / "store")
    wanted = texts.read_text("utf8").splitlines()[3]
    assert report.num_added == len(texts.read_text("utf8").splitlines())
    assert selfsent.query(tmp_path / "store", wanted, k=1, mode="vector").hits[0].text == wanted
    assert len(selfsent.query(tmp_path / "store", wanted, k=2, all=True).hits) == 2


def test_encoding_writes_the_models_vectors(
    model_folder: Path, tiny_static_model: SentenceTransformer, texts: Path, tmp_path: Path
) -> None:
    report = selfsent.encode(model_folder, texts, tmp_path / "vectors.npy")
    lines = texts.read_text("utf8").splitlines()
    np.testing.assert_allclose(np.load(report.output), tiny_static_model.encode(lines), atol=1e-6)


def test_a_misspelt_option_is_answered_by_the_name_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"build has no option 'minute'.*did you mean 'minutes'"):
        selfsent.build(tmp_path, tmp_path / "out", minute=1)  # pyright: ignore[reportCallIssue] the mistake
    with pytest.raises(UserError, match="index has no option 'forgets'"):
        selfsent.index("model", tmp_path, tmp_path / "out", forgets=True)  # pyright: ignore[reportCallIssue] the mistake
