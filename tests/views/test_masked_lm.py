"""Masked word pieces: which, how many, what fills them, and that nothing else of a text changes."""

import pickle
from pathlib import Path

import pytest
import torch
from tests.conftest import SENTENCES
from tests.views.tiny_language_models import save_masked_lm
from transformers import AutoModelForMaskedLM, AutoTokenizer

from selfsent.errors import UserError
from selfsent.training.random_state import SeededViews
from selfsent.views import Repeat, make_view, pair_transform
from selfsent.views.masked_lm import MaskedLM, chosen, draw_mask


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_masked_lm(tmp_path_factory.mktemp("models") / "bert", SENTENCES)


def test_each_row_gets_its_share_of_masks_and_none_where_it_may_not():
    torch.manual_seed(0)
    lengths = torch.tensor([0, 1, 3, 10, 20, 27])
    fillable_mask = torch.arange(30)[None] - 1 < lengths[:, None]
    fillable_mask[:, 0] = False
    drawn = draw_mask(fillable_mask, percent=15)
    assert not (drawn & ~fillable_mask).any()
    assert drawn.sum(1).tolist() == [0, 1, 1, 2, 3, 4]
    assert torch.equal(draw_mask(fillable_mask, percent=100), fillable_mask)


def test_every_position_is_masked_equally_often():
    torch.manual_seed(0)
    counts = draw_mask(torch.ones(8000, 8, dtype=torch.bool), percent=25).sum(0)
    assert (counts - 2000).abs().max() < 5 * (8000 * 0.25 * 0.75) ** 0.5


def test_sampling_draws_by_probability_and_the_most_probable_is_the_default():
    torch.manual_seed(0)
    logits = torch.tensor([[0.5, 0.3, 0.2]]).log().expand(9000, 3)
    assert chosen(logits, sampled=False).unique().tolist() == [0]
    counts = chosen(logits, sampled=True).bincount()
    assert (counts - torch.tensor([4500, 2700, 1800])).abs().max() < 5 * 48


def test_a_mask_is_filled_with_what_the_model_finds_most_probable(folder: Path, monkeypatch: pytest.MonkeyPatch):
    texts = ["The cat sleeps on the warm roof.", "Two dogs run"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForMaskedLM.from_pretrained(folder).eval()
    encoded = tokenizer(texts, padding=True, return_tensors="pt")
    fill_mask = torch.zeros_like(encoded["input_ids"], dtype=torch.bool)
    fill_mask[0, [2, 4]] = fill_mask[1, 3] = True
    masked = encoded["input_ids"].masked_fill(fill_mask, tokenizer.mask_token_id)
    logits = model(**{**encoded, "input_ids": masked}).logits
    logits[..., tokenizer.all_special_ids] = -torch.inf
    expected = torch.where(fill_mask, logits.argmax(2), encoded["input_ids"])
    monkeypatch.setattr("selfsent.views.masked_lm.draw_mask", lambda *_, **__: fill_mask)
    order = sorted(range(2), key=lambda number: len(texts[number]))
    assert order == [1, 0]
    fill_mask = fill_mask[order]
    views = MaskedLM(model=folder)(texts)
    for view, ids in zip(views, expected, strict=True):
        again = tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "")
        assert view.lower().replace(" ", "") == again


def test_words_without_a_mask_keep_their_letters_and_their_place(folder: Path):
    torch.manual_seed(0)
    texts = ["Ünïcode  REMAINS, (As It) was!", "The CAT sleeps on the warm Roof."]
    for _ in range(10):
        for text, view in zip(texts, MaskedLM(model=folder, percent=1)(texts), strict=True):
            kept_front = len(_common_start(text, view))
            kept_end = len(_common_start(text[::-1], view[::-1]))
            assert len(text) - kept_front - kept_end <= max(len(word) for word in text.split())


def _common_start(one: str, other: str) -> str:
    pairs = zip(one, other, strict=False)
    return one[: next((number for number, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))]


def test_what_is_longer_than_the_model_stays(folder: Path):
    text = "the cat sleeps " * 30 + "Unseen End"
    (view,) = MaskedLM(model=folder)([text])
    assert view != text
    assert view.endswith("the cat sleeps " * 15 + "Unseen End")


def test_it_does_not_matter_how_many_texts_come_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def every_third(fillable_mask: torch.Tensor, *, percent: int) -> torch.Tensor:
        return fillable_mask & (torch.arange(fillable_mask.shape[1]) % 3 == 1)

    monkeypatch.setattr("selfsent.views.masked_lm.draw_mask", every_third)
    assert MaskedLM(model=folder)(SENTENCES) == MaskedLM(model=folder, batch_size=5)(SENTENCES)


def test_no_text_is_no_work_and_blank_is_left(folder: Path):
    assert MaskedLM(model=folder)([]) == []
    assert MaskedLM(model=folder)([" "]) == [" "]


@pytest.mark.parametrize("sampled", [False, True])
def test_seeded_views_are_the_same_again_also_of_a_pickled_copy(folder: Path, *, sampled: bool):
    view = MaskedLM(model=folder, sampled=sampled)
    seeded = SeededViews(pair_transform(view, view), seed=1)
    copied = SeededViews(pair_transform(Repeat(), pickle.loads(pickle.dumps(view))), seed=1)
    first = seeded({"text": SENTENCES})
    assert first == seeded({"text": SENTENCES})
    assert first["view_a"] != first["view_b"]
    assert copied({"text": SENTENCES})["view_b"] == first["view_a"]
    assert repr(copied.transform.view_b) == repr(view)


def test_its_name_makes_it_on_a_real_model(models_dir: Path):
    torch.manual_seed(0)
    view = make_view("masked-lm", masked_lm=models_dir / "bert-tiny-wiki34m")
    (filled,) = view(["The capital of France is a city in the north of the country."])
    assert filled != "The capital of France is a city in the north of the country."
    assert "[" not in filled


@pytest.mark.parametrize(("percent", "batch_size"), [(0, 8), (101, 8), (15, 0)])
def test_numbers_out_of_range_are_refused(folder: Path, percent: int, batch_size: int):
    with pytest.raises(UserError, match="percent must be 1 to 100"):
        MaskedLM(model=folder, percent=percent, batch_size=batch_size)
