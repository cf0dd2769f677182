from pathlib import Path

import pytest

from selfsent.data import docs
from selfsent.data.docs import is_heldout
from selfsent.documents import Document, open_documents
from selfsent.errors import UserError


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> docs.DocstringCorpus:
    """A package of sixty docstrings, instead of those that are installed."""
    sentences = "".join(
        f'def f{number}():\n    """Return the number {number} of the list. It is a number that is never empty."""\n'
        for number in range(60)
    )
    (tmp_path / "site" / "pkg").mkdir(parents=True)
    (tmp_path / "site" / "pkg" / "__init__.py").write_text(
        sentences + "def f0():\n    '''Do it twice for the caller.'''\n"
    )
    corpus = docs.open_docstrings([tmp_path / "site"], cache_dir=tmp_path / "cache")
    monkeypatch.setattr("selfsent.documents.docstrings.open_docstrings", lambda: corpus)
    return corpus


def test_a_docstring_is_a_document_with_its_qualified_name(corpus: docs.DocstringCorpus) -> None:
    documents = list(open_documents("docs:"))
    assert len(documents) == 61
    assert documents[0] == Document(
        id="pkg.f0",
        text="Return the number 0 of the list.\nIt is a number that is never empty.",
        package="pkg",
        qualified_name="pkg.f0",
    )


def test_two_docstrings_of_one_name_have_ids_of_their_own(corpus: docs.DocstringCorpus) -> None:
    documents = list(open_documents("docs:"))
    assert [document.id for document in documents if document.qualified_name == "pkg.f0"] == ["pkg.f0", "pkg.f0#2"]


def test_the_parts_are_those_of_the_corpus(corpus: docs.DocstringCorpus) -> None:
    heldout = [document.qualified_name for document in open_documents("docs:heldout")]
    assert heldout == [docstring.qualified_name for docstring in corpus.docstrings if is_heldout(docstring)]
    assert len(heldout) + len(list(open_documents("docs:train"))) == 61
    assert 0 < len(heldout) < 61


def test_another_part_is_refused() -> None:
    with pytest.raises(UserError, match="got docs:dev; the parts of the embedded corpus are"):
        open_documents("docs:dev")
