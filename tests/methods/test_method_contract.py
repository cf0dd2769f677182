"""What every method must keep, in one table by its name: a method that is not listed here fails the suite.

That each option is listed and described is in ``tests/test_listings.py``, for every method too.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.conftest import SENTENCES
from tests.methods.method_cases import CASES, Overrides
from tests.modules.transformer_models import open_bert, write_bert

from selfsent.errors import UserError
from selfsent.methods import METHODS
from selfsent.runs.train import train

pytestmark = pytest.mark.usefixtures("one_thread")
SEED = 5
EVERY_METHOD = pytest.mark.parametrize("name", METHODS)
MISTAKES = [
    pytest.param(name, mistake, match, id=f"{name}-{'-'.join(mistake)}")
    for name, case in CASES.items()
    for mistake, match in case.mistakes
]
SHORTEST_SENTENCE = 20
ASKED = ["The cat sleeps on the warm roof.", "Rain fell over the northern hills."]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the runs of this module are: a base, a teacher, and for each method its rows.

    Args:
        folder: Holds all of them.
    """

    folder: Path

    @property
    def teacher(self) -> Path:
        """A model to learn from."""
        return self.folder / "teacher"

    def rows(self, name: str) -> Path:
        """The file that a method learns from."""
        path = self.folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in CASES[name].rows), encoding="utf8")
        return path

    def run(self, name: str, output: Path, **overrides: Any) -> SentenceTransformer:
        """Train a method by its name, as its case says but for the overrides."""
        case = CASES[name]
        if case.needs is not None:
            pytest.importorskip(case.needs)
        given: dict[str, Any] = {**case.options, "training": case.training, "seed": SEED, "device": "cpu"}
        if case.base is not None:
            given["base"] = str(self.folder / "bert") if case.base == "bert" else case.base
        if case.has_teacher:
            given |= {"teacher": str(self.teacher), "teacher_cache": str(self.folder / "vectors" / name)}
        return train(name, self.rows(name), output, **{**given, **overrides})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("methods")
    write_bert(folder / "bert", SENTENCES, num_layers=1)
    teacher = SentenceTransformer(modules=[open_bert(folder / "bert"), Pooling(16)], device="cpu")
    teacher.save_pretrained(str(folder / "teacher"), create_model_card=False)
    return Place(folder=folder)


@pytest.fixture(scope="module")
def trained(place: Place) -> Callable[[str], tuple[Path, SentenceTransformer]]:
    """A method's finished run and its model; trained once for all tests of the module."""
    models: dict[str, SentenceTransformer] = {}

    def run(name: str) -> tuple[Path, SentenceTransformer]:
        output = place.folder / "runs" / name
        if name not in models:
            models[name] = place.run(name, output)
        return output, models[name]

    return run


Trained = Callable[[str], tuple[Path, SentenceTransformer]]


@pytest.fixture(autouse=True)
def no_evaluation_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SELFSENT_DATA", raising=False)


def test_every_method_is_in_the_table() -> None:
    assert CASES.keys() == METHODS.keys()


@EVERY_METHOD
def test_a_run_is_recorded_with_its_method_its_seed_and_what_it_read(name: str, trained: Trained) -> None:
    output, _ = trained(name)
    record = json.loads((output / "run.json").read_text("utf8"))
    assert (record["status"], record["seed"], record["recipe"]["method"]) == ("finished", SEED, name)
    assert record["num_tokens_seen"] > 0
    assert record["sources"]
    assert [len(digest) for digest in record["data_hashes"].values()] == [64]
    recorded = record["recipe"]["options"]
    assert {key: recorded[key] for key in CASES[name].options} == CASES[name].options
    assert not (output / ".corpus").exists()


@EVERY_METHOD
def test_the_same_seed_gives_the_same_model(name: str, place: Place, trained: Trained, tmp_path: Path) -> None:
    _, model = trained(name)
    again = place.run(name, tmp_path / "again")
    one, other = model.state_dict(), again.state_dict()
    assert one.keys() == other.keys()
    assert [key for key, weight in one.items() if not torch.equal(weight, other[key])] == []


@EVERY_METHOD
def test_its_folder_opens_in_the_host_with_the_same_embeddings(name: str, trained: Trained) -> None:
    output, model = trained(name)
    modules = json.loads((output / "modules.json").read_text("utf8"))
    is_ours = any(module["type"].startswith("selfsent.") for module in modules)
    opened = SentenceTransformer(str(output), device="cpu", trust_remote_code=is_ours)
    found = opened.encode([*ASKED, ""])
    np.testing.assert_array_equal(found, model.encode([*ASKED, ""]))
    assert np.isfinite(found).all()
    assert (found[0] != found[1]).any()
    assert list(output.glob("**/*.safetensors"))
    assert not [path for path in output.glob("**/*") if path.suffix in {".bin", ".pkl"}]


@EVERY_METHOD
def test_its_card_names_recipe_data_and_how_it_opens_and_no_text_of_the_data(name: str, trained: Trained) -> None:
    output, _ = trained(name)
    card = (output / "README.md").read_text("utf8")
    record = json.loads((output / "run.json").read_text("utf8"))
    ((path, digest),) = record["data_hashes"].items()
    assert f'"method": "{name}"' in card
    assert f"{Path(path).name}: SHA-256 `{digest}`" in card
    is_ours = '"selfsent.' in (output / "modules.json").read_text("utf8")
    assert ("opens it, without selfsent" in card) == (not is_ours)
    assert ("selfsent.load(folder)" in card) == is_ours
    measured = {key: value for key, value in record["metrics"].items() if isinstance(value, int | float)}
    assert [key for key, value in measured.items() if f"| {key} | {value:.6g} |" not in card] == []
    texts = [str(value) for row in CASES[name].rows for value in row.values()]
    assert [text for text in texts if len(text) > SHORTEST_SENTENCE and text in card] == []


@EVERY_METHOD
def test_a_finished_run_is_not_overwritten(name: str, place: Place, trained: Trained) -> None:
    output, _ = trained(name)
    before = (output / "run.json").read_bytes()
    with pytest.raises(UserError, match=r"already holds a model.*--overwrite"):
        place.run(name, output)
    assert (output / "run.json").read_bytes() == before


@EVERY_METHOD
def test_an_unknown_option_is_answered_by_those_there_are(name: str, place: Place, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"{name} has no option '?never_an_option") as caught:
        place.run(name, tmp_path / "model", never_an_option=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "mistake", "match"), MISTAKES)
def test_a_mistake_is_one_line_and_leaves_no_model(
    name: str, mistake: Overrides, match: str, place: Place, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=match) as caught:
        place.run(name, tmp_path / "model", **mistake)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model" / "modules.json").exists()
    assert not (tmp_path / "model" / ".corpus").exists()


@EVERY_METHOD
def test_data_without_a_row_is_refused_in_one_line(name: str, place: Place, tmp_path: Path) -> None:
    empty = tmp_path / "rows.jsonl"
    empty.write_text("", encoding="utf8")
    with pytest.raises(UserError) as caught:
        train(name, empty, tmp_path / "model", device="cpu", base=None, teacher=_teacher(name, place))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model" / "modules.json").exists()


def _teacher(name: str, place: Place) -> str | None:
    return str(place.teacher) if CASES[name].has_teacher else None
