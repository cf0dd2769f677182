"""Judging the whole search of a store by documents of known relevance."""

from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer

from selfsent.errors import UserError
from selfsent.evaluation.tasks.pairs import evaluate_own_labels
from selfsent.search.index_source import IndexRequest, index_source


@pytest.fixture
def collection(tmp_path: Path, tiny_static_model: SentenceTransformer) -> Path:
    """A collection whose document ``long`` has several passages, and its store in the folder of a build."""
    folder = tmp_path / "collection"
    (folder / "qrels").mkdir(parents=True)
    long = " ".join(f"The cat number {number} sleeps." for number in range(200))
    (folder / "corpus.jsonl").write_text(
        f'{{"_id": "long", "title": "Cats", "text": "{long} A guitar stands there."}}\n'
        '{"_id": "b", "title": "", "text": "Dogs are running by the sea."}\n'
        '{"_id": "c", "title": "Budget", "text": "The committee voted."}\n'
    )
    (folder / "queries.jsonl").write_text('{"_id": "1", "text": "guitar"}\n{"_id": "2", "text": "the dogs"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\tlong\t1\n2\tb\t1\n")
    tiny_static_model.save_pretrained(str(tmp_path / "built" / "model"))
    request = IndexRequest(source=str(folder / "corpus.jsonl"))
    model_path = str(tmp_path / "built" / "model")
    index_source(tiny_static_model, request, str(tmp_path / "built" / "store"), model_path=model_path)
    return folder


@pytest.mark.parametrize("place", ["built", "built/store"])
@pytest.mark.parametrize("mode", ["text", "vector", "hybrid"])
def test_a_store_or_the_folder_of_a_build_is_scored_by_documents(tmp_path, collection, place, mode):
    report = evaluate_own_labels([tmp_path / place], qrels=collection, mode=mode)[0]
    score = report.score("collection")
    assert (score.metric.name, score.num_items) == ("ndcg@10", 2)
    if mode != "vector":
        assert score.value == 1.0
    assert score.also["recall@10"] == 1.0
    assert report.to_json()["settings"]["mode"] == mode
    assert (report.dimension is None) == (mode == "text")


def test_a_store_is_scored_without_the_corpus_by_its_own_documents(tmp_path, collection):
    with_corpus = evaluate_own_labels([tmp_path / "built"], qrels=collection)[0]
    (collection / "corpus.jsonl").unlink()
    without = evaluate_own_labels([tmp_path / "built"], qrels=collection)[0]
    assert without.score("collection") == with_corpus.score("collection")


def test_judgements_of_a_document_that_the_store_does_not_hold_are_refused_without_a_corpus(tmp_path, collection):
    (collection / "corpus.jsonl").unlink()
    (collection / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\tlong\t1\n2\tbb\t1\n")
    with pytest.raises(UserError, match=r"built does not hold 1 of the 2 judged .* such as 'bb'; .* such as 'b'"):
        evaluate_own_labels([tmp_path / "built"], qrels=collection)


def test_a_model_needs_the_corpus(tmp_path, collection):
    (collection / "corpus.jsonl").unlink()
    for models in ([tmp_path / "built" / "model"], [tmp_path / "built", tmp_path / "built" / "model"]):
        with pytest.raises(UserError, match=r"must hold corpus\.jsonl"):
            evaluate_own_labels(models, qrels=collection)


def test_a_store_of_other_documents_is_refused(tmp_path, collection):
    corpus = collection / "corpus.jsonl"
    corpus.write_text(corpus.read_text().replace('"_id": "', '"_id": "another '))
    (collection / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\tanother long\t1\n2\tanother b\t1\n")
    with pytest.raises(UserError, match=r"finds none of the judged documents, .* index the corpus.jsonl"):
        evaluate_own_labels([tmp_path / "built"], qrels=collection)
