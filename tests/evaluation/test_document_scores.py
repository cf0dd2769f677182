"""Documents scored by their nearest passages, and the ranks of right documents."""

from collections.abc import Iterator, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsent.evaluation.document_scores import CosineScores, DocumentQuestions, right_ranks

VECTORS = {"q": [1.0, 0.0], "a": [1.0, 0.1], "b": [0.0, 1.0], "c": [1.0, 1.0], "zero": [0.0, 0.0]}


class Given:
    """Gives each text the vector it was told to."""

    def encode(self, inputs: Sequence[str], **_: object) -> np.ndarray:
        return np.array([VECTORS[text] for text in inputs], dtype=np.float32)


class Table:
    """Gives scores as they were written down, one query at a time."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores

    def passage_scores(self, queries: Sequence[str], passages: Sequence[str]) -> Iterator[np.ndarray]:
        yield from (row[None, :] for row in self.scores)


def questions(right: list[int], documents: list[int], passages: Sequence[str] | None = None) -> DocumentQuestions:
    return DocumentQuestions(
        name="first sentence",
        queries=["q"] * len(right),
        right=np.array(right),
        passages=passages or [str(place) for place in range(len(documents))],
        documents=np.array(documents),
    )


def test_a_document_is_as_near_as_its_nearest_passage():
    asked = questions([7], [7, 3, 7, 5], ["b", "c", "a", "zero"])
    (rank,) = right_ranks(CosineScores(Given()), asked)
    assert rank == 1  # document 7 has the passages b and a, and a is nearest of all


def test_of_equal_scores_the_right_document_comes_last():
    assert right_ranks(Table(np.array([[0.5, 0.5, 0.5, 0.1]])), questions([1], [0, 1, 2, 3])).tolist() == [3]


def test_a_right_document_without_a_word_of_the_query_is_behind_all_others():
    assert right_ranks(Table(np.zeros((1, 4))), questions([2], [0, 1, 2, 3])).tolist() == [4]


@settings(max_examples=50, deadline=None)
@given(st.data(), st.integers(1, 6), st.integers(1, 12))
def test_ranks_equal_a_plain_count(data: st.DataObject, num_queries: int, num_passages: int):
    documents = data.draw(st.lists(st.integers(0, 4), min_size=num_passages, max_size=num_passages))
    right = data.draw(st.lists(st.sampled_from(documents), min_size=num_queries, max_size=num_queries))
    cell = st.integers(0, 3)
    table = np.array(
        data.draw(
            st.lists(
                st.lists(cell, min_size=num_passages, max_size=num_passages), min_size=num_queries, max_size=num_queries
            )
        ),
        dtype=np.float32,
    )
    plain = []
    for row, own in zip(table, right, strict=True):
        best = {
            document: max(s for s, d in zip(row, documents, strict=True) if d == document) for document in documents
        }
        plain.append(sum(score >= best[own] for score in best.values()))
    assert right_ranks(Table(table), questions(right, documents)).tolist() == plain
