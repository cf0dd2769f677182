"""What methods that compare two views share where the views are of documents."""

from typing import Any, cast

from datasets import Dataset

from selfsent.data.arrow_file import materialise
from selfsent.documents.training_rows import DocumentRows
from selfsent.methods.method import Assembly
from selfsent.views.document_views import DOCUMENT_VIEWS, DocumentPair, DocumentView


def reads_documents(config: Any) -> bool:
    """Tell whether a configuration's ``view`` is one of documents."""
    return config.view in DOCUMENT_VIEWS


def document_dataset(view: str, assembly: Assembly) -> tuple[Dataset, list[str]]:
    """Write rows of the documents to disk, from which two views are drawn anew each epoch.

    Args:
        view: One of ``DOCUMENT_VIEWS``.
        assembly: Holds the documents.

    Returns:
        The rows (``view_a``, ``view_b`` and ``label``, the number of the document), and what was kept and left out.
    """
    assert assembly.documents is not None, "the method reads documents"  # noqa: S101 our own invariant
    rows = DocumentRows(assembly.documents)
    dataset = materialise(rows, assembly.folder / "corpus.arrow", columns=rows.columns)
    dataset.set_transform(DocumentPair(cast("DocumentView", view)))
    return dataset, rows.notes()
