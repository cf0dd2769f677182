"""The pool of translations: what is left out and counted, numbers of sources, and the budget by language."""

import numpy as np
import pytest

from selfsent.data.parallel.parallel_filters import english_side, proportion_mask
from selfsent.data.parallel.parallel_sources import Pair
from selfsent.data.parallel.translation_pool import write_pool
from selfsent.errors import UserError


def pair(source: str, target: str, language: str = "de", source_language: str = "en") -> Pair:
    return Pair(source=source, target=target, source_language=source_language, target_language=language)


def test_what_is_no_translation_is_left_out_by_reason(tmp_path):
    pairs = [
        pair("a cat sleeps", "eine Katze schläft"),
        pair("a cat sleeps", "eine Katze schläft"),
        pair("a cat sleeps", "un chat dort", "fr"),
        pair("Berlin", "BERLIN"),
        pair("secret", "geheim"),
        pair("a short one", "x" * 200),
    ]
    pool = write_pool(pairs, tmp_path / "pool.arrow", is_heldout=lambda text: text == "secret")
    assert pool.num_dropped == {"repeated": 1, "identical": 1, "heldout": 1, "length": 1}
    assert pool.rows[:]["target"] == ["eine Katze schläft", "un chat dort"]
    assert "1 repeated" in pool.note()
    assert "1 held out for the suite bitext" in pool.note()


def test_unspaced_and_right_to_left_scripts_are_in_proportion(tmp_path):
    pairs = [pair(f"this sentence has number {i} in it", f"这是第{i}句", "zh") for i in range(30)]
    pairs += [pair(f"this sentence has number {i} in it", f"زه جمله {i}", "fa") for i in range(30)]
    pool = write_pool(pairs, tmp_path / "pool.arrow", max_length_ratio=1.5)
    assert len(pool.rows) == 60


def test_proportion_is_judged_beside_the_median_of_the_languages():
    source, target = np.full(40, 100), np.full(40, 30)
    target[-1] = 100
    groups = np.zeros(40, dtype=np.int64)
    assert proportion_mask(source, target, groups, max_ratio=2).tolist() == [True] * 39 + [False]
    assert proportion_mask(source[:5], target[:5], groups[:5], max_ratio=2).tolist() == [False] * 5
    with pytest.raises(UserError, match="max_length_ratio=1 "):
        proportion_mask(source, target, groups, max_ratio=1)


def test_what_is_held_out_is_asked_of_the_english_side_whichever_it_is():
    assert english_side(pair("eins", "one", "en", "de")) == "one"
    assert english_side(pair("one", "eins")) == "one"
    assert english_side(pair("eins", "un", "fr", "de")) == "eins"


def test_each_distinct_source_has_one_place(tmp_path):
    pairs = [pair("one", "eins"), pair("two", "zwei"), pair("one", "un", "fr"), pair("three", "drei")]
    pool = write_pool(pairs, tmp_path / "pool.arrow")
    sources = list(pool.sources())
    assert sources == ["one", "two", "three"]
    places = pool.places()[pool.numbers]
    assert [sources[place] for place in places] == pool.rows[:]["source"]


def test_a_budget_is_divided_by_language_and_kept(tmp_path):
    pairs = [pair(f"common {i}", f"beides {i}") for i in range(50)] + [
        pair(f"common {i}", f"les {i}", "fr") for i in range(50)
    ]
    pairs += [pair(f"only {i}", f"nur {i}") for i in range(400)] + [
        pair(f"rare {i}", f"hapa {i}", "sw") for i in range(10)
    ]
    whole = write_pool(pairs, tmp_path / "pool.arrow")
    pool = whole.within(100, alpha=0)
    assert 90 <= len(list(pool.sources())) <= 100
    counts = {name: int((pool.languages == name).sum()) for name in ("de", "fr", "sw")}
    assert counts["sw"] == 10
    assert counts["fr"] >= 40
    sources = list(pool.sources())
    assert [sources[place] for place in pool.places()[pool.numbers]] == pool.rows[:]["source"]
    assert len(whole.within(10_000, alpha=0.3).rows) == len(whole.rows)
    with pytest.raises(UserError, match="max_teacher_texts=0"):
        whole.within(0, alpha=0)


def test_texts_come_with_their_languages_a_source_once_a_run(tmp_path):
    pool = write_pool([pair("one", "eins"), pair("one", "un", "fr"), pair("two", "zwei")], tmp_path / "pool.arrow")
    assert list(pool.texts()) == [("en", "one"), ("de", "eins"), ("fr", "un"), ("en", "two"), ("de", "zwei")]


def test_nothing_left_says_why(tmp_path):
    with pytest.raises(UserError, match="left out: 1 identical"):
        write_pool([pair("one", "One")], tmp_path / "pool.arrow")
    with pytest.raises(UserError, match="1 with sides out of proportion"):
        write_pool([pair("one", "x" * 500)], tmp_path / "other.arrow")
