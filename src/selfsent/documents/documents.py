"""Documents of a source: files, rows of tables and docstrings, read one by one and as often as wanted."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from selfsent.data.sources import OnBadRow
from selfsent.documents.document import Document
from selfsent.documents.skipped import Skipped

Unit = Literal["auto", "line", "paragraph", "document"]


class Documents:
    """Documents of one source, read anew at every iteration and never held in memory as a whole."""

    spec: str
    notes: list[str]
    num_files: int
    num_documents: int
    num_bad_rows: int
    first_bad_row: str | None
    skipped: list[Skipped]

    def __iter__(self) -> Iterator[Document]:
        raise NotImplementedError


def open_documents(
    spec: str | Path,
    *,
    unit: Unit = "auto",
    columns: Sequence[str | int] | None = None,
    on_bad_row: OnBadRow = "stop",
    max_rows: int | None = None,
    exclude: Sequence[str | Path] = (),
) -> Documents:
    """Open what holds documents: a file, a folder, ``hf:NAME[:config][:split]`` or ``docs:[train|heldout]``."""
    raise NotImplementedError
