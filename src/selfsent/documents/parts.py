"""The documents of a source in parts, for several processes to read side by side.

Ids of rows are unique in a source, which only one reader of all tables can see to. So tables are one part; files that
are one document each, and plain texts, whose documents are named by file and line, are parted by their size.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from selfsent.data.bad_rows import OnBadRow
from selfsent.documents.document import Document
from selfsent.documents.file_formats import PLAIN_TEXT, WHOLE_FILES, suffix_of
from selfsent.documents.file_reader import FileOptions, read_files
from selfsent.documents.folder import SourceFile
from selfsent.documents.reading import Reading

Read = Callable[[Reading], Iterator[Document]]

_BYTES_A_PART = 64 << 20
_FILES_A_PART = 64


@dataclass(frozen=True)
class Part:
    """One part of a pass over a source.

    Args:
        read: Reads it.
        on_bad_row: As in ``selfsent.documents.open_documents``.
        max_rows: Read no more documents than this; ``None`` reads all.
    """

    read: Read
    on_bad_row: OnBadRow = "stop"
    max_rows: int | None = None

    def __call__(self) -> Iterator[Document | Reading]:
        """Yield the documents, and at the end what the reader found."""
        reading = Reading(on_bad_row=self.on_bad_row)
        for document in itertools.islice(self.read(reading), self.max_rows):
            reading.num_documents += 1
            yield document
        yield reading


def parted(
    find: Callable[[Reading], Sequence[SourceFile]], options: FileOptions, reading: Reading
) -> list[Callable[[Reading], Iterator[Document]]]:
    """Part the files of a source, in their order; all tables go with the first one.

    Args:
        find: Lists the files, and tells the pass what it does not enter.
        options: How they are read.
        reading: The pass.

    Returns:
        What reads each part.
    """
    files = find(reading)
    options = replace(options, is_alone=sum(bool(suffix_of(file.path)) for file in files) == 1)
    tables = [file for file in files if _is_table(file)]
    parts: list[list[SourceFile]] = [[]]
    num_bytes = 0
    for file in files:
        if _is_table(file):
            if file is tables[0]:
                parts += [tables, []]
                num_bytes = 0
            continue
        parts[-1].append(file)
        num_bytes += file.path.stat().st_size if file.path.exists() else 0
        if num_bytes > _BYTES_A_PART or len(parts[-1]) == _FILES_A_PART:
            parts.append([])
            num_bytes = 0
    return [partial(_read, files=part, options=options) for part in parts if part]


def _read(reading: Reading, files: Sequence[SourceFile], options: FileOptions) -> Iterator[Document]:
    return read_files(reading, files, options)


def _is_table(file: SourceFile) -> bool:
    return suffix_of(file.path) not in {"", PLAIN_TEXT, *WHOLE_FILES}
