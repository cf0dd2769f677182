"""Rankings of documents, with scores worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
from tests.search.made_store import at, made_store

from selfsent.errors import UserError
from selfsent.evaluation.bm25 import BM25
from selfsent.search.ranking import Ranked, rank
from selfsent.search.store import Mode, Store
from selfsent.words import Analyser

PASSAGES = [
    {"document": "a", "text": "red apple tree", "degrees": 0, "year": 2019},
    {"document": "a", "text": "green pear", "degrees": 80, "year": 2019},
    {"document": "b", "text": "red car", "degrees": 60, "year": 2020},
    {"document": "b", "text": "blue car red red", "degrees": 90, "year": 2020},
    {"document": "c", "text": "a quiet evening", "degrees": 10, "year": 2021},
    {"document": None, "text": "red", "degrees": 170, "year": 2021},
]
DOCUMENTS = {"a": [0, 1], "b": [2, 3], "c": [4], "": [5]}


def ranked(
    store: Store, query: str, degrees: float | None, mode: Mode, *, k: int = 10, where: str | None = None
) -> list[Ranked]:
    vector = None if degrees is None else at(degrees)
    return store.read(lambda: rank(store, query, vector, k=k, mode=mode, where=where))


def places(found: list[Ranked]) -> list[int]:
    return [int(one.passage.id) for one in found]


def bm25(query: str) -> np.ndarray:
    analyser = Analyser.of_corpus(row["text"] for row in PASSAGES)
    return next(BM25(analyser=analyser).passage_scores([query], [row["text"] for row in PASSAGES]))[0]


def test_a_document_stands_once_in_a_ranking_with_its_best_passage(tmp_path: Path):
    store = made_store(tmp_path / "store", PASSAGES)
    assert places(ranked(store, "red", 0, "vector")) == [0, 4, 2, 5]
    by_words = ranked(store, "red car", None, "text")
    words = bm25("red car")
    expected = sorted(DOCUMENTS.values(), key=lambda numbers: -words[numbers].max())[:3]
    assert places(by_words) == [numbers[int(np.argmax(words[numbers]))] for numbers in expected]
    np.testing.assert_allclose(
        [one.score for one in by_words], [words[numbers].max() for numbers in expected], rtol=1e-5
    )


@pytest.mark.parametrize("weight", [None, 0.3, 0.9])
def test_a_hybrid_score_fuses_the_highest_of_each_document_with_the_recorded_weight(
    tmp_path: Path, weight: float | None
):
    store = made_store(tmp_path / "store", PASSAGES, weight=weight)
    used = 0.5 if weight is None else weight
    words, cosines = bm25("red car"), np.array([np.cos(np.radians(row["degrees"] - 20)) for row in PASSAGES])
    expected = {
        name: (1 - used) * words[numbers].max() / words.max() + used * cosines[numbers].max() / cosines.max()
        for name, numbers in DOCUMENTS.items()
    }
    found = ranked(store, "red car", 20, "hybrid")
    names = [PASSAGES[place]["document"] or "" for place in places(found)]
    assert names == sorted(expected, key=lambda name: -expected[name])
    np.testing.assert_allclose([one.score for one in found], [expected[name] for name in names], rtol=1e-5)


def test_a_weight_of_0_ranks_as_words_do_and_one_of_1_as_cosines_do(tmp_path: Path):
    draw = np.random.default_rng(0)
    words = ["red", "car", "pear", "tree", "quiet"]
    rows = [
        {"document": f"d{number // 3:03}", "text": " ".join(draw.choice(words, 4)), "degrees": draw.uniform(0, 180)}
        for number in range(900)
    ]
    only_words = made_store(tmp_path / "words", rows, weight=0)
    only_cosines = made_store(tmp_path / "cosines", rows, weight=1)
    for query, degrees in (("red car", 10), ("quiet", 100), ("pear tree red", 60)):
        by_words = ranked(only_words, query, None, "text", k=50)
        assert places(ranked(only_words, query, degrees, "hybrid", k=50)) == places(by_words)
        by_cosine = ranked(only_cosines, query, degrees, "vector", k=50)
        assert places(ranked(only_cosines, query, degrees, "hybrid", k=50)) == places(by_cosine)


def test_documents_of_equal_score_stand_in_the_order_of_their_names(tmp_path: Path):
    rows = [{"document": name, "text": "red car", "degrees": 30} for name in ("c", "a", "b")]
    store = made_store(tmp_path / "store", rows)
    for mode in ("text", "vector", "hybrid"):
        assert places(ranked(store, "red", 30, mode)) == [1, 2, 0]


@pytest.mark.parametrize("mode", ["text", "vector", "hybrid"])
@pytest.mark.parametrize(
    ("where", "allowed"),
    [
        ("year = 2020", {2, 3}),
        ("year > 2019 AND document IS NOT NULL", {2, 3, 4}),
        ("document LIKE 'a%'", {0, 1}),
        ("NOT (year = 2019)", {2, 3, 4, 5}),
        ("year = 1900", set()),
    ],
)
def test_a_filter_holds_in_every_mode(tmp_path: Path, mode: Mode, where: str, allowed: set[int]):
    store = made_store(tmp_path / "store", PASSAGES)
    everything = ranked(store, "red", 20, mode)
    found = ranked(store, "red", 20, mode, where=where)
    assert set(places(found)) <= allowed
    has_answer = {number for number in allowed if mode != "text" or "red" in PASSAGES[number]["text"]}
    assert len(found) == len({PASSAGES[number]["document"] for number in has_answer})
    assert set(places(everything)) > set(places(found))


@pytest.mark.parametrize("mode", ["text", "vector", "hybrid"])
@pytest.mark.parametrize("where", ["nothing = 1", "year =", "year", "", "year LIKE 3 4"])
def test_a_wrong_filter_is_refused_in_one_line_that_names_the_columns(tmp_path: Path, mode: Mode, where: str):
    store = made_store(tmp_path / "store", PASSAGES)
    with pytest.raises(UserError, match=r"the filter .* cannot be used: .*the columns are id, text, .*year") as caught:
        ranked(store, "red", 20, mode, where=where)
    assert "\n" not in str(caught.value)


def test_nothing_is_found_by_words_that_no_text_has_and_by_a_query_of_signs(tmp_path: Path):
    store = made_store(tmp_path / "store", PASSAGES)
    for query in ("zebra", "?!", "()"):
        assert ranked(store, query, None, "text") == []
        assert places(ranked(store, query, 0, "hybrid")) == [0, 4, 2, 5]
        assert ranked(store, query, None, "hybrid") == []


def test_chinese_japanese_and_thai_are_found_by_words_in_hybrid_search(tmp_path: Path):
    texts = ["今天天气很好 我们去公园吧", "ภาษาไทยง่ายมาก", "東京は大きい都市です", "plain English"]
    store = made_store(tmp_path / "store", [{"document": text[:2], "text": text, "degrees": 90} for text in texts])
    for query, place in (("公园", 0), ("ไทย", 1), ("都市", 2)):
        assert places(ranked(store, query, 90, "hybrid"))[0] == place
        assert places(ranked(store, query, None, "text"))[0] == place


def test_a_document_of_ten_thousand_passages_leaves_room_for_the_others(tmp_path: Path):
    long = [{"document": "long", "text": f"red car {number}", "degrees": number / 10_000} for number in range(10_000)]
    short = [
        {"document": f"short {number}", "text": "red thing of another kind", "degrees": 40 + number}
        for number in range(9)
    ]
    store = made_store(tmp_path / "store", [*long, *short])
    for mode in ("text", "vector", "hybrid"):
        found = ranked(store, "red car", 0, mode, k=10)
        assert len(found) == 10
        assert int(found[0].passage.id) < 10_000
        assert {int(one.passage.id) for one in found[1:]} == set(range(10_000, 10_009))


def test_documents_of_the_same_name_in_two_sources_are_two(tmp_path: Path):
    rows = [{"document": "README.md", "text": "red", "degrees": 0, "sources": key} for key in ("0", "1")]
    assert len(ranked(made_store(tmp_path / "store", rows), "red", 0, "hybrid")) == 2
