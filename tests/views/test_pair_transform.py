"""The transform as a data set and the training's seeded views use it."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from datasets import Dataset

from selfsent.errors import UserError
from selfsent.training.random_state import SeededViews, with_seeded_views
from selfsent.views import Alternatives, Crop, Delete, DeleteOne, PairedViews, Repeat, Synonyms, View, pair_transform
from selfsent.views.lexicon import Lexicon

TEXTS = [" ".join(f"{name}{number}" for number in range(12)) for name in "abcd"]
SYNONYMS = Synonyms(lexicon=Lexicon(name="all", synonyms={word: ("x", "y") for text in TEXTS for word in text.split()}))
RANDOM_VIEWS = [Crop(percent=20), Delete(percent=20), DeleteOne(), SYNONYMS]


def test_both_views_of_a_column_are_made_and_nothing_else_is_passed_on():
    views = pair_transform(Repeat(), Crop(percent=50), "sentence")({"sentence": TEXTS, "line": [1, 2, 3, 4]})
    assert set(views) == {"view_a", "view_b"}
    assert views["view_a"] == TEXTS
    assert [len(text.split()) for text in views["view_b"]] == [6] * 4


@pytest.mark.parametrize("view", RANDOM_VIEWS, ids=repr)
def test_seeded_views_are_the_same_in_the_same_epoch_and_others_in_the_next(view: View):
    seeded = SeededViews(pair_transform(view, view), seed=1)
    first = seeded({"text": TEXTS})
    assert seeded({"text": TEXTS}) == first
    assert first["view_a"] != first["view_b"]
    seeded.epoch = 1
    assert any(seeded({"text": TEXTS}) != first for seeded.epoch in range(1, 9))


def test_a_data_set_gives_the_views_of_the_rows_it_is_asked_for():
    dataset = Dataset.from_dict({"text": TEXTS, "label": [0, 1, 2, 3]})
    dataset.set_transform(pair_transform(Repeat(), DeleteOne()))
    seeded, _ = with_seeded_views(dataset, seed=3)
    rows = seeded[[2, 0]]
    assert rows["view_a"] == [TEXTS[2], TEXTS[0]]
    assert rows == seeded[[2, 0]]


def test_another_process_makes_the_same_views():
    transforms = [SeededViews(pair_transform(view, view), seed=5) for view in RANDOM_VIEWS]
    transforms.append(SeededViews(Alternatives(["text", "other"]), seed=5))
    batch = {"text": TEXTS, "other": TEXTS[::-1]}
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        assert [pool.submit(transform, batch).result() for transform in transforms] == [t(batch) for t in transforms]


def test_the_name_of_a_transform_says_what_it_does_and_survives_pickling():
    transform = pair_transform(Repeat(), Crop(percent=10))
    assert repr(transform) == "PairTransform(view_a=Repeat(), view_b=Crop(percent=10), column='text')"
    assert pickle.loads(pickle.dumps(transform)) == transform


def test_a_missing_column_is_named_with_those_there_are():
    with pytest.raises(UserError, match="have the columns sentence, and the views need text"):
        pair_transform(Repeat(), Repeat())({"sentence": TEXTS})


def test_ready_pairs_are_made_anew_side_by_side_and_other_columns_stay():
    views = PairedViews(_shouted, _backwards, ("anchor", "positive"))
    batch = {"anchor": ["a b"], "positive": ["cd"], "negative": ["no"]}
    assert views(batch) == {"view_a": ["A B"], "view_b": ["dc"], "negative": ["no"]}
    drawn = PairedViews(_shouted, _backwards, draw=lambda rows: {"view_a": rows["z"], "view_b": rows["x"]})
    assert drawn({"x": ["cd"], "y": ["."], "z": ["a"]}) == {"view_a": ["A"], "view_b": ["dc"]}


def _shouted(texts: list[str]) -> list[str]:
    return [text.upper() for text in texts]


def _backwards(texts: list[str]) -> list[str]:
    return [text[::-1] for text in texts]
