"""The docstrings of the installed packages as documents."""

from collections.abc import Callable, Iterator

from selfsent.data.docs import is_heldout, open_docstrings
from selfsent.documents.document import Document
from selfsent.documents.reading import Reading
from selfsent.errors import UserError

_PARTS = ("", "train", "heldout")


def docstring_documents(spec: str) -> Callable[[Reading], Iterator[Document]]:
    """Open ``docs:``, ``docs:train`` or ``docs:heldout``.

    A docstring's document has its sentences, one a line, so that its hash is the one by which the corpus holds it out.

    Args:
        spec: One of the three.

    Raises:
        UserError: There is no such part, or no docstring.
    """
    part = spec.removeprefix("docs:")
    if part not in _PARTS:
        raise UserError(f"got {spec}; the parts of the embedded corpus are `docs:`, `docs:train` and `docs:heldout`")
    corpus = open_docstrings()

    def read(reading: Reading) -> Iterator[Document]:
        reading.add_notes(corpus.notes)
        with reading.progress(None) as progress:
            for docstring in corpus.docstrings:
                if part and is_heldout(docstring) != (part == "heldout"):
                    continue
                progress.update()
                yield Document(
                    id=reading.unique(docstring.qualified_name),
                    text="\n".join(docstring.sentences),
                    package=docstring.package,
                    qualified_name=docstring.qualified_name,
                )

    return read
