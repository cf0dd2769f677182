"""Documents that ask with parts that nothing was learned from."""

import pytest

from selfsent.documents.document import Document
from selfsent.errors import UserError
from selfsent.evaluation.tasks.asking_documents import AskingDocuments


def corpus(num_documents: int, *, title: str = "") -> list[Document]:
    return [
        Document(
            id=str(number),
            title=title and f"{title} {number}",
            text=f"First of {number}. Second of {number} says more. Third of {number} is here. Fourth of {number}.",
        )
        for number in range(num_documents)
    ]


@pytest.mark.parametrize("title", ["", "Title"])
def test_what_asks_is_not_learned_from_and_the_rest_is(title: str):
    documents = corpus(60, title=title)
    asking = AskingDocuments(documents, len(documents))
    learned = " | ".join(f"{document.title} {document.text}" for document in asking)
    lead, random = asking.tasks()
    assert len(lead.queries) == len(random.queries) > 5
    for query in (*lead.queries, *random.queries):
        assert query not in learned.split(" | ")
    for number, query in enumerate(random.queries):
        (rest,) = [text for text, of in zip(random.passages, random.documents, strict=True) if of == number]
        assert query not in rest
        assert lead.queries[number] not in rest
        assert rest in learned


def test_the_lead_is_the_title_or_else_the_first_sentence():
    assert all(query.startswith("First of") for query in AskingDocuments(corpus(40), 40).tasks()[0].queries)
    titled = AskingDocuments(corpus(40, title="Title"), 40).tasks()
    assert all(query.startswith("Title ") for query in titled[0].queries)
    assert not any("Title" in passage for passage in titled[0].passages[: len(titled[0].queries)])


def test_every_document_is_learned_from():
    assert [document.id for document in AskingDocuments(corpus(50), 50)] == [str(number) for number in range(50)]


def test_a_quarter_of_few_documents_asks_and_five_percent_of_many():
    few = AskingDocuments(corpus(400), 400).tasks()[0]
    many = AskingDocuments(corpus(400), 400_000).tasks()[0]
    assert 70 < len(few.queries) < 130
    assert len(many.queries) < 40


def test_a_document_of_one_long_sentence_asks_with_windows_of_it():
    text = " ".join(f"word{number}" for number in range(40))
    documents = [Document(id=str(number), text=f"{text} of{number}.") for number in range(40)]
    lead, random = AskingDocuments(documents, 40).tasks()
    assert set(lead.queries) == {" ".join(f"word{number}" for number in range(10))}
    assert all(len(query.split()) in (10, 11) for query in random.queries)
    assert not any(query in passage for query in random.queries[:1] for passage in random.passages[:1])


def test_documents_of_two_sentences_cannot_ask():
    documents = [Document(id=str(number), text=f"One of {number}. Two of {number}.") for number in range(50)]
    with pytest.raises(
        UserError, match="needs two documents with a title and two sentences, or three sentences, got 0"
    ):
        AskingDocuments(documents, 50).tasks()
