"""What every registered view must keep; one that cannot be made from these resources fails the suite."""

import pickle
import random
from pathlib import Path

import pytest
import torch
from tests.conftest import SENTENCES
from tests.views.tiny_language_models import save_masked_lm, save_translator

from selfsent.views import VIEWS, View, make_view

TEXTS = [*SENTENCES, "", "word", "  two   words  "]


@pytest.fixture(scope="module")
def masked_lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_masked_lm(tmp_path_factory.mktemp("models") / "bert", SENTENCES)


@pytest.fixture(scope="module")
def translators(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("translators")
    there, back = (save_translator(folder / name, SENTENCES, seed=seed) for seed, name in enumerate(("there", "back")))
    return str(there), str(back)


@pytest.fixture(params=[*VIEWS, "crop-20+synonym+masked-lm"])
def view(request: pytest.FixtureRequest, tmp_path: Path, masked_lm: Path, translators: tuple[str, str]) -> View:
    (tmp_path / "mine.tsv").write_text("cat\tfeline\nrain\tshower\n", "utf8")
    return make_view(
        request.param,
        lexicon=tmp_path / "mine.tsv",
        masked_lm=masked_lm,
        translators=translators,
        translations=tmp_path / "translations.sqlite",
    )


def seeded(view: View, texts: list[str]) -> list[str]:
    random.seed(0)
    torch.manual_seed(0)
    return list(view(list(texts)))


def test_it_gives_a_text_for_every_text_and_leaves_its_input_alone(view: View) -> None:
    texts = list(TEXTS)
    found = view(texts)
    assert texts == TEXTS
    assert len(found) == len(TEXTS)
    assert all(isinstance(text, str) for text in found)


def test_a_text_without_words_stays_one_and_no_other_text_loses_its_last_word(view: View) -> None:
    found = seeded(view, TEXTS)
    assert [bool(text.strip()) for text in found] == [bool(text.strip()) for text in TEXTS]


def test_it_draws_from_the_seeded_numbers_alone(view: View) -> None:
    assert seeded(view, TEXTS) == seeded(view, TEXTS)


def test_a_worker_gets_a_view_that_draws_the_same(view: View) -> None:
    assert seeded(pickle.loads(pickle.dumps(view)), TEXTS) == seeded(view, TEXTS)


def test_no_texts_give_no_texts(view: View) -> None:
    assert list(view([])) == []
