"""There and back again: each leg once, whatever was done before, whoever was killed."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import SENTENCES
from tests.views.tiny_language_models import save_translator

from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.views import BackTranslation, Repeat, write_pairs
from selfsent.views.translator import Translator

TEXTS = SENTENCES[:8]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        name: save_translator(folder / name, SENTENCES, seed=seed) for seed, name in enumerate(["forward", "backward"])
    }


@pytest.fixture
def translated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that a model translates, as it does."""
    texts: list[str] = []
    call = Translator.__call__

    def counting(self: Translator, batch: list[str]) -> list[str]:
        texts.extend(batch)
        return call(self, batch)

    monkeypatch.setattr(Translator, "__call__", counting)
    return texts


def test_a_view_is_the_backward_translation_of_the_forward_one(folders: dict[str, Path], tmp_path: Path):
    view = BackTranslation(**folders, cache=tmp_path / "cache.sqlite", batch_size=3, device="cpu")
    out, back = (Translator(model=folder, device="cpu") for folder in folders.values())
    texts = [*SENTENCES[:4], SENTENCES[3]]
    assert view(texts) == [back([out([text])[0]])[0] for text in texts]


def test_a_text_is_translated_once_and_a_grown_corpus_costs_what_is_new(
    folders: dict[str, Path], tmp_path: Path, translated: list[str]
):
    settings = {**folders, "cache": tmp_path / "cache.sqlite", "device": "cpu"}
    first = BackTranslation(**settings)(SENTENCES[:4] * 2)
    assert translated.count(SENTENCES[0]) == 1
    translated.clear()
    assert BackTranslation(**settings)(SENTENCES[:4]) == first[:4]
    assert translated == []
    BackTranslation(**settings)(SENTENCES[:5])
    assert translated[0] == SENTENCES[4]
    assert len(translated) <= 2


def test_another_model_or_setting_does_not_use_its_translations(
    folders: dict[str, Path], tmp_path: Path, translated: list[str]
):
    cache = tmp_path / "cache.sqlite"
    BackTranslation(**folders, cache=cache, device="cpu")(SENTENCES[:2])
    for other in (
        {"forward": folders["backward"], "backward": folders["forward"]},
        {**folders, "max_tokens": 9},
        {**folders, "num_beams": 2},
    ):
        translated.clear()
        BackTranslation(**other, cache=cache, device="cpu")(SENTENCES[:2])
        assert set(SENTENCES[:2]) <= set(translated)


class Killed(BaseException):
    """Ends the process's work in the middle of a batch, where nothing may catch it."""


def test_after_a_kill_only_what_was_not_kept_is_translated(
    folders: dict[str, Path], tmp_path: Path, translated: list[str], monkeypatch: pytest.MonkeyPatch
):
    settings = {**folders, "cache": tmp_path / "cache.sqlite", "batch_size": 3, "device": "cpu"}
    output = tmp_path / "pairs.tsv"
    counting = Translator.__call__

    def dying(self: Translator, batch: list[str]) -> list[str]:
        if len(translated) >= 6:
            raise Killed
        return counting(self, batch)

    monkeypatch.setattr(Translator, "__call__", dying)
    with pytest.raises(Killed):
        write_pairs(TEXTS, output, Repeat(), BackTranslation(**settings))
    assert not output.exists()
    done = set(translated)
    translated.clear()
    monkeypatch.setattr(Translator, "__call__", counting)
    resumed = write_pairs(TEXTS, output, Repeat(), BackTranslation(**settings))
    assert resumed.num_pairs == len(TEXTS)
    assert done.isdisjoint(translated)
    assert set(TEXTS) <= done.union(translated)


def test_the_pairs_of_two_routes_are_a_source_of_anchor_and_positive(folders: dict[str, Path], tmp_path: Path):
    cache = tmp_path / "cache.sqlite"
    german = BackTranslation(**folders, cache=cache, device="cpu")
    french = BackTranslation(forward=folders["backward"], backward=folders["forward"], cache=cache, device="cpu")
    write_pairs(iter(TEXTS), tmp_path / "pairs.jsonl", german, french)
    rows = [(row["anchor"], row["positive"]) for row in open_source(tmp_path / "pairs.jsonl")]
    assert rows == list(zip(german(TEXTS), french(TEXTS), strict=True))


def test_a_text_that_is_lost_on_the_way_is_empty(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def forgetful(_: Translator, batch: list[str]) -> Iterator[str]:
        assert "" not in batch
        return ("" if text == "b" else text.upper() for text in batch)

    monkeypatch.setattr(Translator, "__call__", forgetful)
    assert BackTranslation(**folders, cache=tmp_path / "c.sqlite", device="cpu")(["a", "b"]) == ["A", ""]


def test_a_pickled_copy_translates_alike(folders: dict[str, Path], tmp_path: Path):
    view = BackTranslation(**folders, cache=tmp_path / "one.sqlite", device="cpu")
    copied = pickle.loads(pickle.dumps(view))
    assert repr(copied) == repr(view)
    assert copied(SENTENCES[:2]) == view(SENTENCES[:2])


def test_a_folder_that_does_not_translate_is_refused(folders: dict[str, Path], tmp_path: Path):
    for leg in ("forward", "backward"):
        with pytest.raises(
            UserError, match="the folder does not exist; name the folder of a sequence-to-sequence model"
        ):
            BackTranslation(**{**folders, leg: tmp_path / "nothing"}, cache=tmp_path / "c.sqlite")
    with pytest.raises(UserError, match="batch_size must be at least 1, got 0"):
        BackTranslation(**folders, cache=tmp_path / "c.sqlite", batch_size=0)
