"""Weak answers: where their level comes from, and which are hidden."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from selfsent.data.sources import open_source
from selfsent.search.indexing import index
from selfsent.search.ranking import Passage, Ranked
from selfsent.search.semantic_search import SemanticSearch
from selfsent.search.store import Store
from selfsent.search.store_writer import writing
from selfsent.search.weak_answers import is_weak, random_level
from selfsent.words import Analyser

WORDS = ["cat", "dog", "man", "guitar", "roof", "rain", "hills", "budget", "beach", "sea", "engine", "motor"]


@pytest.mark.parametrize(("num_rows", "share"), [(200, 0.99), (1000, 0.99), (5000, 0.998)])
def test_the_level_is_what_only_the_ten_nearest_reach_with_half_of_a_passage_of_another_document(num_rows, share):
    draw = np.random.default_rng(1)
    vectors = draw.normal(size=(300, 4)).astype(np.float32)
    rows = [
        {"text": f"{number:04} {number:04}", "title": "", "document": str(number // 2), "vector": vector.tolist()}
        for number, vector in enumerate(vectors)
    ]
    asked: list[str] = []

    def encode(texts):
        asked.extend(texts)
        return np.array([vectors[int(text)] for text in texts])

    level = random_level(rows, encode, num_rows=num_rows)
    assert asked == [f"{number:04}" for number in range(300)]
    unit = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    others = [unit[one] @ unit[two] for one in range(300) for two in range(300) if one // 2 != two // 2]
    assert level == pytest.approx(np.quantile(others, share), abs=1e-6)


def test_passages_of_one_document_are_no_random_pair():
    rows = [{"text": "a b", "title": "", "document": "x", "vector": [1.0, 0.0]}] * 5
    assert random_level(rows, lambda texts: np.ones((len(texts), 2)), num_rows=5) is None


@pytest.mark.parametrize(
    ("cosine", "words", "passage_words", "text", "weak"),
    [
        (0.1, 0.0, 0.0, "rain fell", True),
        (0.3, 0.0, 0.0, "rain fell", False),
        (0.1, 2.0, 2.0, "the cats", False),
        (0.1, 2.0, 0.0, "another passage of it has the word", False),
        (0.1, 0.5, 0.5, "the the", True),
        (None, 2.0, 2.0, "rain fell", False),
    ],
)
def test_an_answer_is_weak_only_without_a_content_word_and_below_the_level(cosine, words, passage_words, text, weak):
    ranked = Ranked(passage=Passage(row_id=0, id="0", words=passage_words), score=0, words=words, cosine=cosine)
    assert is_weak(ranked, {"text": text, "title": None}, "the cat", Analyser("en"), weak_below=0.2) == weak


@pytest.fixture
def store(tmp_path: Path, tiny_static_model: SentenceTransformer) -> Path:
    """Texts of three words; 200 and more."""
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    lines = [f"{a} {b} {c}" for a in WORDS[:7] for b in WORDS[:6] for c in WORDS[6:11]]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    index(tiny_static_model, open_source(tmp_path / "a.txt"), tmp_path / "store", model_path=tmp_path / "model")
    return tmp_path / "store"


def recorded(store: Path, level: float) -> SemanticSearch:
    opened = Store.open(store)
    with writing(store, opened.model) as writer:
        writer.update_record(replace(writer.record, weak_below=level))
    return SemanticSearch(store, device="cpu")


def test_the_level_is_recorded_when_a_store_is_finished(store):
    record = Store.open(store).record
    assert record.weak_below is not None
    assert 0 < record.weak_below < 1
    assert record.measured_rows == 210


def test_weak_answers_are_hidden_counted_and_shown_on_demand(store):
    search = recorded(store, 2.0)
    found = search.answers(["violin"], 5)[0]
    assert (found.hits, found.hidden) == ([], 5)
    assert len(search.search("violin", 5, all=True)) == 5
    found = search.answers(["guitar violin"], 150)[0]
    assert found.hits
    assert all("guitar" in hit.text for hit in found.hits)
    assert [hit.rank for hit in found.hits] == list(range(1, len(found.hits) + 1))
    assert len(found.hits) + found.hidden == 150
    assert search.answers(["violin"], 5, "vector")[0].hidden == 5
    assert search.search("violin", 5, "text") == []


def test_nothing_is_hidden_above_the_level(store):
    assert recorded(store, -1.0).answers(["violin"], 5)[0].hidden == 0
