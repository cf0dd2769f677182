"""Translations against the model's own ``generate``, one text at a time."""

import logging
from pathlib import Path

import pytest
from tests.conftest import SENTENCES
from tests.views.tiny_language_models import save_translator
from transformers import AutoTokenizer, MarianMTModel

from selfsent.errors import UserError
from selfsent.views.translator import Translator


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_translator(tmp_path_factory.mktemp("models") / "forward", SENTENCES)


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_batch_is_translated_as_each_text_alone(folder: Path, num_beams: int):
    tokenizer, model = AutoTokenizer.from_pretrained(folder), MarianMTModel.from_pretrained(folder).eval()
    expected: list[str] = []
    for text in SENTENCES[:4]:
        ids = tokenizer(text, return_tensors="pt", truncation=True, max_length=12)
        best = model.generate(**ids, num_beams=num_beams, do_sample=False, max_length=12)
        expected += tokenizer.batch_decode(best, skip_special_tokens=True)
    translations = Translator(model=folder, num_beams=num_beams, device="cpu")(SENTENCES[:4])
    assert translations == [text.strip() for text in expected]
    assert len(set(translations)) > 1


def test_its_hash_follows_the_model_and_the_settings(folder: Path, tmp_path: Path):
    one = Translator(model=folder).sha256
    assert Translator(model=folder).sha256 == one
    assert Translator(model=save_translator(tmp_path / "same", SENTENCES)).sha256 == one
    others = [
        Translator(model=folder, num_beams=2),
        Translator(model=folder, max_tokens=8),
        Translator(model=save_translator(tmp_path / "other", SENTENCES, seed=1)),
    ]
    assert len({one, *(other.sha256 for other in others)}) == 4


def test_texts_that_are_cut_are_told_once(folder: Path, caplog: pytest.LogCaptureFixture):
    translator = Translator(model=folder, max_tokens=5)
    with caplog.at_level(logging.WARNING, logger="selfsent.views.translator"):
        translator(["The cat sleeps on the warm roof.", "The"])
        translator(["The cat sleeps on the warm roof."])
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        "1 of 2 texts fill all of the 5 tokens that are translated"
    ]


@pytest.mark.parametrize("settings", [{"num_beams": 0}, {"max_tokens": 1}])
def test_numbers_out_of_range_are_refused(folder: Path, settings: dict[str, int]):
    with pytest.raises(UserError, match="num_beams must be at least 1"):
        Translator(model=folder, **settings)
