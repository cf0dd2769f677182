"""The suite own-documents: what is held out, what asks, what has to be found, and what that scores."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from selfsent.documents.document import Document
from selfsent.errors import UserError
from selfsent.evaluation.document_scores import DocumentQuestions
from selfsent.evaluation.tasks.own_documents import (
    heldout_share,
    is_held_out,
    own_document_tasks,
    score_of_ranks,
    score_part,
)


def animals(number: int, title: str = "") -> Document:
    """A document about one thing: every sentence names it, and nothing else does."""
    name = f"thing{number}"
    text = f"The {name} sleeps in the day. At night the {name} wakes. Then {name} and friends eat their food."
    return Document(id=str(number), title=title and f"{title} {name}", text=text)


class SharedWords:
    """Scores a passage by the words it shares with the query: an oracle for documents that name their own thing."""

    def passage_scores(self, queries: Sequence[str], passages: Sequence[str]) -> Iterator[np.ndarray]:
        for query in queries:
            words = {word.strip(".") for word in query.split() if word.strip(".").startswith("thing")}
            yield np.array([[len(words & {word.strip(".") for word in passage.split()}) for passage in passages]])


def test_five_percent_are_held_out_more_of_few_documents_and_a_quarter_at_most():
    assert heldout_share(100_000) == 0.05
    assert heldout_share(2_000) == 0.1
    assert heldout_share(100) == 0.25


def test_a_document_is_held_out_by_its_content_wherever_it_stands():
    documents = [animals(number) for number in range(400)]
    heldout = {document.id for document in documents if is_held_out(document, 0.25)}
    assert 60 < len(heldout) < 140
    copies = [Document(id=f"copy of {document.id}", text=document.text) for document in documents]
    assert {copy.id.removeprefix("copy of ") for copy in copies if is_held_out(copy, 0.25)} == heldout


def test_each_part_asks_for_the_rest_and_is_not_in_it():
    documents = [animals(number, title="About the") for number in range(40)]
    tasks = own_document_tasks(documents, share=0.5)
    assert [task.name for task in tasks] == ["title", "first sentence", "random sentence"]
    for task in tasks:
        for query, right in zip(task.queries, task.right, strict=True):
            rest = [text for text, of in zip(task.passages, task.documents, strict=True) if of == right]
            assert rest
            assert not any(query in text for text in rest)


def test_the_right_document_stands_among_all_documents_or_among_the_held_out_ones():
    documents = [animals(number) for number in range(40)]
    heldout = sum(is_held_out(document, 0.5) for document in documents)
    everywhere = own_document_tasks(documents, share=0.5)[0]
    among_heldout = own_document_tasks(documents, share=0.5, candidates="held-out")[0]
    assert len(set(everywhere.documents.tolist())) == 40
    assert len(set(among_heldout.documents.tolist())) == heldout
    assert everywhere.queries == among_heldout.queries


def test_a_scorer_that_knows_what_a_document_is_about_finds_every_rest():
    for task in own_document_tasks([animals(number) for number in range(40)], share=0.5):
        score = score_part(SharedWords(), task)
        assert (score.value, score.also["found_first"], score.also["recall@10"]) == (1.0, 1.0, 1.0)


def test_copies_of_a_held_out_document_are_no_candidates():
    documents = [animals(number) for number in range(20)] * 2
    task = own_document_tasks(documents, share=0.5)[0]
    assert len(set(task.queries)) == len(task.queries)
    assert score_part(SharedWords(), task).value == 1.0


def test_of_few_documents_several_sentences_ask_and_all_of_them_are_left_out():
    text = " ".join(f"Sentence number {number} speaks of matter {number}." for number in range(12))
    documents = [Document(id=str(number), text=text.replace("matter", f"topic{number}")) for number in range(8)]
    task = next(task for task in own_document_tasks(documents, share=0.99) if task.name == "random sentence")
    assert np.bincount(task.right).max() == 5
    rest = " ".join(task.passages)
    assert not any(query in rest for query in task.queries)


def test_code_never_asks():
    text = "x = open(1)\n\nThe first sentence of prose. The second sentence of prose says more."
    documents = [Document(id=str(n), text=f"{text} Word{n}.", code_spans=((0, 11),)) for n in range(30)]
    task = next(task for task in own_document_tasks(documents, share=0.5) if task.name == "first sentence")
    assert set(task.queries) == {"The first sentence of prose."}


def test_a_document_counts_once_however_many_of_its_sentences_ask():
    asked = DocumentQuestions(
        name="random sentence", queries=["a", "b", "c"], right=np.array([0, 0, 1]), passages=[], documents=np.array([])
    )
    score = score_of_ranks(asked, np.array([1, 11, 3]))
    assert score.value == pytest.approx(((1.0 + 0.0) / 2 + 0.5) / 2)
    assert score.also == {"recall@10": 0.75, "found_first": 0.25, "num_queries": 3}
    assert score.num_items == 2


def test_documents_of_one_sentence_without_titles_cannot_ask():
    documents = [Document(id=str(number), text=f"Only sentence {number}.") for number in range(10)]
    with pytest.raises(UserError, match="needs two held-out documents with two sentences each, or a title"):
        own_document_tasks(documents, share=0.5)


def test_no_more_passages_than_asked_for_stand_beside_those_of_the_asking_documents():
    documents = [animals(number) for number in range(60)]
    task = own_document_tasks(documents, share=0.3, max_other_passages=5)[0]
    asking = len(set(task.right.tolist()))
    assert len(set(task.documents.tolist())) == asking + 5
