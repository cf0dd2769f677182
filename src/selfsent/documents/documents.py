"""Documents of a source: files, rows of tables and docstrings, read one by one and as often as wanted."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from selfsent.data.bad_rows import OnBadRow
from selfsent.data.source_files import CHECK_THE_PATH, expanded
from selfsent.documents.document import Document
from selfsent.documents.file_formats import KNOWN_NAMES, WHOLE_FILES, suffix_of
from selfsent.documents.file_reader import FileOptions, read_files
from selfsent.documents.folder import Folder, SourceFile, shown
from selfsent.documents.parts import Part, Read, parted
from selfsent.documents.plain_text import UNITS, Unit
from selfsent.documents.reading import Reading
from selfsent.documents.skipped import Skipped
from selfsent.errors import UserError, not_one_of

FindFiles = Callable[[Reading], Sequence[SourceFile]]


class Documents:
    """Documents of one source, read anew at every iteration and never held in memory as a whole.

    The counts are those of the latest pass, as far as it went.

    Args:
        spec: What the user named.
        read: Begins a pass.
        on_bad_row: ``stop`` raises at the first row of a table that cannot be used, ``skip`` counts them.
        max_rows: Read no more documents than this; ``None`` reads all.
        part: Begins a pass that is made in parts, where a source has any.
    """

    def __init__(
        self,
        *,
        spec: str,
        read: Read,
        on_bad_row: OnBadRow = "stop",
        max_rows: int | None = None,
        part: Callable[[Reading], list[Read]] | None = None,
    ) -> None:
        self.spec = spec
        self.max_rows = max_rows
        self._read = read
        self._part = part
        self._on_bad_row: OnBadRow = on_bad_row
        self._reading = Reading(on_bad_row=on_bad_row)

    def __iter__(self) -> Iterator[Document]:
        reading = self._reading = Reading(on_bad_row=self._on_bad_row)
        for document in itertools.islice(self._read(reading), self.max_rows):
            reading.num_documents += 1
            yield document
        self.require_some()

    def parts(self) -> list[Part]:
        """Begin a pass that other processes make: in parts that together hold the same documents.

        Each part says at its end what it found; ``take_in`` adds that to the counts of this pass.
        """
        self._reading = Reading(on_bad_row=self._on_bad_row)
        is_parted = self._part is not None and self.max_rows is None
        reads = self._part(self._reading) if self._part is not None and is_parted else [self._read]
        return [Part(read, self._on_bad_row, self.max_rows) for read in reads]

    def take_in(self, found: Reading) -> None:
        """Count what a part of this pass found."""
        self._reading.add(found)

    def require_some(self) -> None:
        """Refuse a source of which the latest pass could read nothing.

        Raises:
            UserError: It gave no document.
        """
        if not self.num_documents:
            raise UserError(f"{self.spec} holds no document that can be read{_listed(self._reading.skipped)}")

    def __repr__(self) -> str:
        return f"Documents({self.spec!r})"

    @property
    def num_files(self) -> int:
        """How many files were looked at, those that were skipped among them; 0 where a source has no files."""
        return self._reading.num_files

    @property
    def num_documents(self) -> int:
        """How many documents were given out."""
        return self._reading.num_documents

    @property
    def skipped(self) -> list[Skipped]:
        """What was not read, and why."""
        return list(self._reading.skipped)

    @property
    def notes(self) -> list[str]:
        """What the user should be told once, complete at the end of the pass."""
        return self._reading.notes()

    def closing_notes(self) -> list[str]:
        """Say everything a person should be told of the pass, but which files were skipped: ``notes``, and bad rows."""
        if not self.num_bad_rows:
            return self.notes
        return [*self.notes, f"{self.num_bad_rows:,} bad rows left out, the first: {self.first_bad_row}"]

    @property
    def num_bad_rows(self) -> int:
        """How many rows of tables were left out."""
        return self._reading.bad_rows.num_bad_rows

    @property
    def first_bad_row(self) -> str | None:
        """Place and reason of the first of them."""
        return self._reading.bad_rows.first


def open_documents(
    spec: str | Path,
    *,
    unit: Unit = "auto",
    columns: Sequence[str | int] | None = None,
    on_bad_row: OnBadRow = "stop",
    max_rows: int | None = None,
    exclude: Sequence[str | Path] = (),
    keep: Sequence[str] = (),
) -> Documents:
    """Open what holds documents: a file, a folder, ``hf:NAME[:config][:split]`` or ``docs:[train|heldout]``.

    A ``.md``, ``.rst``, ``.html``, ``.pdf``, ``.docx``, ``.epub`` or ``.ipynb`` file is one document; a ``.txt`` file
    is one or many (``unit``); each row of a ``.jsonl``, ``.csv``, ``.tsv`` or ``.parquet`` table is one. Files of text
    may be compressed (``.gz``, ``.xz``, ``.zst``). A folder may hold any mix of them; what cannot be read is counted
    and named, and the rest is read.

    Args:
        spec: What to open.
        unit: What is a document in a ``.txt`` file: a ``line``, a ``paragraph`` (blank lines stand between two), the
            ``document`` as a whole, or ``auto``: what its beginning looks like; a note says which.
        columns: Columns of tables that hold the text, by name or 1-based number; default ``text``.
        on_bad_row: ``stop`` raises at the first row of a table that cannot be used, ``skip`` counts such rows.
        max_rows: Read at most this many documents, at least 1; default all.
        exclude: Files and folders to leave out, such as the output in the midst of the source.
        keep: Columns of tables whose values go with their documents (``Document.kept``).

    Returns:
        The documents; nothing has been read yet but the names of the files.

    Raises:
        UserError: There is no such source, or no file of a known format; while iterating also that no document could
            be read, or a bad row.
    """
    if unit not in UNITS:
        raise UserError(not_one_of("unit", unit, UNITS))
    if on_bad_row not in ("stop", "skip"):
        raise UserError(f"on_bad_row must be stop or skip, got {on_bad_row!r}")
    if max_rows is not None and max_rows < 1:
        raise UserError(f"max_rows must be at least 1, got {max_rows}")
    if columns is not None and not columns:
        raise UserError("columns must name at least one column, got none; leave the option out to read `text`")
    options = FileOptions(unit=unit, columns=columns, keep=tuple(keep))
    name = str(spec)
    if not name.startswith(("docs:", "hf:")):
        find = _finder(name, exclude)
        read, part = partial(_read_found, find, options), partial(parted, find, options)
        return Documents(spec=name, read=read, on_bad_row=on_bad_row, max_rows=max_rows, part=part)
    return Documents(spec=name, read=_reader(name, options), on_bad_row=on_bad_row, max_rows=max_rows)


def holds_whole_documents(spec: str | Path) -> bool:
    """Tell whether a source is a file that is one document (``.md``, ``.pdf`` and so on), or a folder with such a file.

    Tables and files of plain text do not count: their rows and lines may be bare texts.
    """
    if str(spec).startswith(("docs:", "hf:")):
        return False
    path = expanded(spec)
    files = [file.path for file in Folder(path).files()] if path.is_dir() else [path] if path.is_file() else []
    return any(suffix_of(file) in WHOLE_FILES for file in files)


def _reader(spec: str, options: FileOptions) -> Read:
    if spec.startswith("docs:"):
        from selfsent.documents.docstrings import docstring_documents  # noqa: PLC0415 only this source needs it

        return docstring_documents(spec)
    from selfsent.documents.hub_rows import hub_documents  # noqa: PLC0415 only this source needs it

    return hub_documents(spec, options)


def _read_found(find: FindFiles, options: FileOptions, reading: Reading) -> Iterator[Document]:
    return read_files(reading, find(reading), options)


def _finder(spec: str, exclude: Sequence[str | Path]) -> FindFiles:
    """Check the files of a source now, and list them at every pass."""
    path = expanded(spec)
    if not path.exists():
        raise UserError(f"no file or folder at {shown(path)}; {CHECK_THE_PATH}")
    if path.is_dir():
        _require_known(path, Folder(path, exclude).files())
        return partial(_files_of_folder, path=path, exclude=exclude)
    if not path.is_file():
        raise UserError(
            f"{shown(path)} is not a regular file, and documents are read more than once; save it to a file first"
        )
    if not suffix_of(path):
        raise UserError(f"cannot tell the format of {shown(path)} by its name; known are {KNOWN_NAMES}")
    return lambda _: [SourceFile(shown(path.name), path)]


def _files_of_folder(reading: Reading, path: Path, exclude: Sequence[str | Path]) -> list[SourceFile]:
    folder = Folder(path, exclude)
    files = folder.files()
    reading.skipped.extend(folder.skipped)
    reading.num_files += len(folder.skipped)
    for name in folder.passed_over:
        reading.note_file("not entered, since it holds no documents", name)
    return files


def _require_known(path: Path, files: Sequence[SourceFile]) -> None:
    if any(suffix_of(file.path) for file in files):
        return
    if not files:
        raise UserError(f"the folder {shown(path)} holds no file; name one with documents, {KNOWN_NAMES}")
    kinds = Counter(file.path.suffix.lower() or "no suffix" for file in files).most_common(5)
    found = f"{len(files)} files ({', '.join(f'{number} of {kind}' for kind, number in kinds)})"
    raise UserError(f"the folder {shown(path)} holds {found}, none of a known format; known are {KNOWN_NAMES}")


def _listed(skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return ": it is empty; name a source with at least one text"
    reasons = Counter(one.reason for one in skipped).most_common()
    first = skipped[0]
    detail = f": {first.detail}" if first.detail else ""
    return (
        f": {', '.join(f'{number} x {reason}' for reason, number in reasons)}; the first is {first.file} "
        f"({first.reason}{detail})"
    )
