"""What the time of a stage is estimated from."""

from pathlib import Path

from selfsent.document_build.pace import num_passages
from selfsent.documents.corpus_file import write_corpus
from selfsent.documents.document import Document


def test_passages_are_estimated_from_documents_and_words(tmp_path: Path):
    corpus = write_corpus((Document(id=str(number), text="word") for number in range(3)), tmp_path / "a.parquet")
    assert num_passages(corpus, num_words=3) == 3
    assert num_passages(corpus, num_words=1000) == 8
