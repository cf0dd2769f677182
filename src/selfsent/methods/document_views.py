"""What methods that compare two views share where the views are of documents."""

from dataclasses import dataclass
from typing import Any, cast

from datasets import Dataset

from selfsent.data.arrow_file import materialise
from selfsent.documents.training_rows import DocumentRows
from selfsent.options import Options, choice
from selfsent.training.run import Run, RunData
from selfsent.views import VIEWS
from selfsent.views.document_views import DOCUMENT_VIEWS, DocumentPair, DocumentView


@dataclass(frozen=True, kw_only=True)
class ViewOptions(Options):
    """What two views are, of bare text or of documents.

    Args:
        view: What the second view is: ``repeat`` (dropout alone), or a name of `selfsent.views.VIEWS`; or what both are
            of a document: a name of `selfsent.views.document_views.DOCUMENT_VIEWS`, not in the papers.
        lexicon: For the view ``synonym``: a file of word and synonyms by tab; ``none`` uses what is installed, else
            the nearest neighbours among the corpus's own word vectors.
        masked_lm: For the view ``masked-lm``: folder or hub name of the masked LM; ``none`` takes the base.
    """

    view: str = choice("repeat", *VIEWS, *DOCUMENT_VIEWS)
    lexicon: str | None = None
    masked_lm: str | None = None


def reads_documents(config: Any) -> bool:
    """Tell whether a configuration's ``view`` is one of documents."""
    return config.view in DOCUMENT_VIEWS


def document_dataset(view: str, run: Run[Any], data: RunData) -> tuple[Dataset, list[str]]:
    """Write rows of the documents to disk, from which two views are drawn anew each epoch.

    Args:
        view: One of ``DOCUMENT_VIEWS``.
        run: Says where the rows go.
        data: Holds the documents.

    Returns:
        The rows (``view_a``, ``view_b`` and ``label``, the number of the document), and what was kept and left out.
    """
    assert data.documents is not None, "the method reads documents"  # noqa: S101 our own invariant
    rows = DocumentRows(data.documents)
    dataset = materialise(rows, run.corpus_folder / "corpus.arrow", columns=rows.columns)
    dataset.set_transform(DocumentPair(cast("DocumentView", view)))
    return dataset, rows.notes()
