"""BM25 from arrays: worked out by hand, and as the library that the baseline uses."""

import logging
import math

import bm25s
import numpy as np
import pyarrow as pa

from selfsent.search.word_postings import PostingsBuilder, WordPostings, key_of


def postings(*batches: list[str | None]) -> WordPostings:
    """Gather rows of words."""
    builder = PostingsBuilder()
    for batch in batches:
        builder.add(pa.array(batch, pa.string()))
    return builder.postings()


def test_a_score_is_the_one_worked_out_by_hand() -> None:
    rows, scores = postings(["cat cat dog", "dog"], ["bird", "", None]).scores(["cat"])
    weight = math.log(1 + (5 - 1 + 0.5) / (1 + 0.5))
    assert rows.tolist() == [0]
    assert math.isclose(scores[0], weight * 2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 1)), rel_tol=1e-6)


def test_a_word_asked_for_twice_counts_twice_and_an_unknown_one_not_at_all() -> None:
    found = postings(["cat dog", "dog dog bird", "cat"])
    once, twice = found.scores(["dog"]), found.scores(["dog", "dog", "fish"])
    assert once[0].tolist() == twice[0].tolist() == [0, 1]
    assert np.allclose(2 * once[1], twice[1])
    assert found.scores([])[0].tolist() == found.scores(["fish"])[0].tolist() == []


def test_scores_are_those_of_the_library_of_the_baseline() -> None:
    generator = np.random.default_rng(0)
    words = [f"w{number}" for number in range(30)]
    rows = [list(generator.choice(words, generator.integers(1, 20))) for _ in range(200)]
    texts = [" ".join(row) for row in rows]
    found = postings(texts[:70], texts[70:])
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    library = bm25s.BM25(k1=1.2, b=0.75)
    library.index(rows, show_progress=False)
    for query in (["w1"], ["w2", "w3", "w4"]):
        expected = library.get_scores(query)
        numbers, scores = found.scores(query)
        assert numbers.tolist() == expected.nonzero()[0].tolist()
        assert np.allclose(scores, expected[numbers], rtol=1e-5)


def test_no_rows_have_no_words() -> None:
    assert postings().scores(["cat"])[0].tolist() == []
    assert key_of("cat") != key_of("cats")
