"""Queries: against a brute-force ranking, a hand-made fusion, and every bad input."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from sentence_transformers import SentenceTransformer

from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.evaluation.bm25 import BM25
from selfsent.search.indexing import index
from selfsent.search.semantic_search import Hit, SemanticSearch, render_hits

OTHER_SCRIPTS = ["今天天气很好 我们去公园吧", "Un café crème", "ภาษาไทยง่ายมาก", 'C++ AND "quoted" (words)']


@pytest.fixture
def texts(sentences: list[str]) -> list[str]:
    return [*sentences, *OTHER_SCRIPTS]


@pytest.fixture
def folder(tmp_path: Path, tiny_static_model: SentenceTransformer, texts: list[str]) -> Path:
    """A folder with ``model`` and ``store`` side by side, as the demo leaves them."""
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf8")
    source = open_source(tmp_path / "texts.txt")
    index(tiny_static_model, source, tmp_path / "store", model_path=tmp_path / "model")
    return tmp_path


@pytest.fixture
def search(folder: Path) -> SemanticSearch:
    return SemanticSearch(folder / "store", device="cpu")


def cosines(model: SentenceTransformer, query: str, texts: list[str]) -> np.ndarray:
    vectors = model.encode([query, *texts]).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[1:] @ vectors[0]


def test_vector_search_ranks_by_cosine_as_brute_force_does(search, tiny_static_model, texts):
    for query in ("guitar on a roof", "rain"):
        expected = cosines(tiny_static_model, query, texts)
        hits = search.search(query, len(texts), "vector")
        assert [hit.rank for hit in hits] == list(range(1, len(texts) + 1))
        np.testing.assert_allclose([hit.score for hit in hits], np.sort(expected)[::-1], atol=1e-5)
        np.testing.assert_allclose(
            [expected[texts.index(hit.text)] for hit in hits], np.sort(expected)[::-1], atol=1e-5
        )


def test_a_hit_says_where_it_came_from(search, sentences):
    hit = search.search(sentences[2], k=1)[0]
    assert (hit.text, hit.provenance) == (sentences[2], {"file": "texts.txt", "line": 3})
    assert len(hit.id) == 32


def test_more_answers_than_rows_gives_all_rows(search, texts):
    assert len(search.search("cat", k=10_000)) == len(texts)
    assert len(search.search("cat", k=10_000, mode="hybrid")) == len(texts)
    for k in (2**31, 2**32, 10**30):
        assert len(search.search("cat", k=k)) == len(search.search("cat", k=k, mode="hybrid")) == len(texts)
        assert len(search.search("cat", k=k, mode="text")) == 2


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("guitar", 2),
        ("GUITAR", 2),
        ("公园", 1),
        ("cafe", 1),
        ("ไทย", 1),
        ('"quoted" (', 1),
        ("AND", 1),
        ("unheard", 0),
    ],
)
def test_a_search_by_words_works_in_every_script_and_takes_no_syntax(search, query, expected):
    hits = search.search(query, k=50, mode="text")
    if expected == 1:
        assert hits[0].text in OTHER_SCRIPTS
    assert len([hit for hit in hits if hit.score > 0]) >= expected
    assert bool(hits) == bool(expected)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_common_words_can_be_searched_and_inflections_are_found(search):
    assert search.search("the", mode="text")
    assert {hit.text for hit in search.search("sleeping", k=50, mode="text")} == {
        "A cat is sleeping on a roof in the sun.",
        "The cat sleeps on the warm roof.",
    }


def test_a_hybrid_score_is_half_bm25_and_half_cosine_each_divided_by_its_highest(search, tiny_static_model, texts):
    query = "the cat in the sun"
    cosine = dict(zip(texts, cosines(tiny_static_model, query, texts), strict=True))
    words = dict.fromkeys(texts, 0.0) | {hit.text: hit.score for hit in search.search(query, 50, "text")}
    expected = {
        text: 0.5 * words[text] / max(words.values()) + 0.5 * cosine[text] / max(cosine.values()) for text in texts
    }
    hits = search.search(query, k=len(texts))
    np.testing.assert_allclose([hit.score for hit in hits], sorted(expected.values(), reverse=True), atol=1e-5)
    np.testing.assert_allclose([hit.score for hit in hits], [expected[hit.text] for hit in hits], atol=1e-5)


def test_a_batch_of_queries_gives_what_each_gives_alone(search):
    queries = ["cat", "budget of the committee"]
    for mode in ("vector", "text", "hybrid"):
        assert search.search_batch(queries, 3, mode) == [search.search(query, 3, mode) for query in queries]
    assert search.search_batch([], 3) == []


def test_a_score_by_words_is_bm25_as_lucene_computes_it(search, texts):
    analyser = search.store.analyser
    ranker = BM25(analyser=analyser)
    for query in ("the guitar in the sun", "公园", "cafe"):
        expected = next(ranker.passage_scores([query], texts))[0]
        found = search.search(query, 50, "text")
        np.testing.assert_allclose([hit.score for hit in found], np.sort(expected[expected > 0])[::-1], rtol=1e-5)


def test_queries_and_documents_go_through_their_own_prompts(tmp_path, tiny_static_model, sentences):
    tiny_static_model.prompts = {"query": "rain rain rain ", "document": ""}
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    (tmp_path / "texts.txt").write_text("\n".join(sentences))
    index(tiny_static_model, open_source(tmp_path / "texts.txt"), tmp_path / "store", model_path=tmp_path / "model")
    search = SemanticSearch(tmp_path / "store", device="cpu")
    assert search.store.model.prompts["query"] == "rain rain rain "
    expected = cosines(tiny_static_model, "rain rain rain cat", sentences)
    np.testing.assert_allclose(search.search("cat", 1, "vector")[0].score, expected.max(), atol=1e-5)


def test_model_and_store_may_be_moved_together(folder, tmp_path_factory):
    moved = tmp_path_factory.mktemp("moved") / "both"
    shutil.move(folder, moved)
    assert SemanticSearch(moved / "store", device="cpu").search("cat")


def test_a_model_that_was_moved_alone_is_asked_for_and_taken_from_its_new_place(folder):
    (folder / "model").rename(folder / "elsewhere")
    with pytest.raises(
        UserError, match=r"the model of the store .* is not at .*model; name where it is with `--model`"
    ):
        SemanticSearch(folder / "store")
    assert SemanticSearch(folder / "store", folder / "elsewhere", device="cpu").search("cat")


def test_a_model_that_was_retrained_in_place_is_refused(folder, tiny_static_model):
    tiny_static_model[0].embedding.weight.data += 1
    tiny_static_model.save_pretrained(str(folder / "model"))
    with pytest.raises(UserError, match="was made by another model"):
        SemanticSearch(folder / "store")


@pytest.mark.parametrize("mode", ["vector", "text", "hybrid"])
@pytest.mark.parametrize(
    ("query", "k", "message"),
    [
        ("", 5, "query must not be empty"),
        (" \t\n\u3000", 5, "query must not be empty"),
        ("cat", 0, "k must be at least 1, got 0"),
        ("cat", -3, "k must be at least 1, got -3"),
    ],
)
def test_bad_queries_are_refused_in_one_line(search, mode, query, k, message):
    with pytest.raises(UserError, match=message) as caught:
        search.search(query, k, mode)
    assert "\n" not in str(caught.value)


def test_an_unknown_mode_is_refused(search):
    with pytest.raises(UserError, match="mode must be one of vector, text, hybrid, got 'fuzzy'"):
        search.search("cat", mode="fuzzy")


def test_texts_without_direction_are_found_by_words_only_and_such_a_query_is_refused(tmp_path, tiny_static_model):
    pieces = tiny_static_model.tokenizer.encode("漢字", add_special_tokens=False).ids
    with torch.no_grad():
        tiny_static_model[0].embedding.weight[pieces] = 0
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    (tmp_path / "texts.txt").write_text("漢字\nthe cat\nthe dog", encoding="utf8")
    source = open_source(tmp_path / "texts.txt")
    report = index(tiny_static_model, source, tmp_path / "store", model_path=tmp_path / "model")
    assert (report.num_rows, report.num_without_direction) == (3, 1)
    search = SemanticSearch(tmp_path / "store", device="cpu")
    assert {hit.text for hit in search.search("cat", 9, "vector")} == {"the cat", "the dog"}
    assert [hit.text for hit in search.search("漢字", mode="text")] == ["漢字"]
    with pytest.raises(UserError, match="the model knows no token of the query '漢字'"):
        search.search("漢字", mode="vector")
    assert [hit.text for hit in search.search("漢字")] == ["漢字"]


def test_hits_are_laid_out_with_their_place_and_without_markup():
    hits = [
        Hit(rank=1, score=0.5, text="a [bold]text[/bold]", id="x", provenance={"file": "a.txt", "line": 3}),
        Hit(rank=2, score=0.25, text="b", id="y", provenance={"package": "numpy", "qualified_name": "numpy.ndarray"}),
    ]
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115 nothing is read back
    console.print(render_hits(hits))
    console.print(render_hits([]))
    shown = console.export_text()
    for part in ("0.500", "a [bold]text[/bold]", "a.txt:3", "numpy.ndarray", "nothing found"):
        assert part in shown


def test_a_search_by_words_opens_no_model_and_imports_no_torch(folder):
    shutil.rmtree(folder / "model")
    script = """
import sys
from selfsent.search.semantic_search import SemanticSearch
from selfsent.search.hit_table import show_answers
search = SemanticSearch(sys.argv[1], words_only=True)
show_answers(search.answers(["cat"], 5, "text")[0], as_json=False)
assert "torch" not in sys.modules and "sentence_transformers" not in sys.modules
"""
    command = [sys.executable, "-c", script, str(folder / "store")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "texts.txt:3: The cat sleeps on the warm roof." in shown.splitlines()
    with pytest.raises(UserError, match="opened for words only"):
        SemanticSearch(folder / "store", words_only=True).search("cat")


def test_a_hit_says_what_of_it_matches_and_a_text_is_its_own_document(search):
    hit = search.search("sleeping cats", 1, "text")[0]
    words = [hit.text[match.start : match.end] for match in hit.matches]
    assert words in (["cat", "sleeps"], ["cat", "sleeping"])
    assert hit.document.startswith("texts.txt:")
    assert (hit.start, hit.to_json()["end"], hit.title) == (0, len(hit.text), "")
