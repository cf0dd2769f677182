"""How long a stage will take, in words."""

from pathlib import Path

import pytest

from selfsent.document_build.pace import about, num_passages
from selfsent.documents.corpus_file import write_corpus
from selfsent.documents.document import Document


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "a few seconds"),
        (9.9, "a few seconds"),
        (44, "about 40 seconds"),
        (90, "about 2 minutes"),
        (400, "about 7 minutes"),
    ],
)
def test_a_time_is_said_as_people_say_it(seconds: float, words: str):
    assert about(seconds) == words


def test_passages_are_estimated_from_documents_and_words(tmp_path: Path):
    corpus = write_corpus((Document(id=str(number), text="word") for number in range(3)), tmp_path / "a.parquet")
    assert num_passages(corpus, num_words=3) == 3
    assert num_passages(corpus, num_words=1000) == 8
