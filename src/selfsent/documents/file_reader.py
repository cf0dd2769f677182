"""From files to documents: a file that cannot be read is counted, with the reason, and the rest is read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from selfsent.data.bad_rows import BadRows
from selfsent.data.columns import Picks
from selfsent.data.formats import NumberedRecords, read_records
from selfsent.documents.document import Document
from selfsent.documents.file_formats import PLAIN_TEXT, WHOLE_FILES, read_whole_file, suffix_of
from selfsent.documents.folder import SourceFile
from selfsent.documents.plain_text import Unit, read_plain_text, sample_of, unit_of
from selfsent.documents.reading import Reading
from selfsent.documents.skipped import Reason, UnreadableError
from selfsent.documents.table_rows import fields_of, first_records, read_rows
from selfsent.errors import UserError

_DOCUMENTS_PER_UPDATE = 500
_NOT_UTF8 = "not valid UTF-8, read as Windows-1252"


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """How files are read.

    Args:
        unit: What a plain text file holds.
        columns: Columns of tables that hold the text.
        keep: Columns of tables whose values go with their documents.
        is_alone: Whether there is only one file; None counts those that are given.
    """

    unit: Unit
    columns: Picks
    keep: tuple[str, ...] = ()
    is_alone: bool | None = None


def read_files(reading: Reading, files: Sequence[SourceFile], options: FileOptions) -> Iterator[Document]:
    """Read files one after the other.

    Args:
        reading: The pass, told of what is found.
        files: The files.
        options: How they are read.

    Yields:
        Documents.

    Raises:
        UserError: A row of a table cannot be used, and the pass stops there.
    """
    known = [file for file in files if suffix_of(file.path)]
    for file in files:
        if not suffix_of(file.path):
            reading.skip(file.name, "unknown format")
    reading.num_files += len(files) - len(known)
    if options.is_alone is None:
        options = replace(options, is_alone=len(known) == 1)
    with reading.progress(len(known)) as progress:
        for file in known:
            reading.num_files += 1
            for document in _read_file(file, options, reading):
                yield document
                if reading.num_documents % _DOCUMENTS_PER_UPDATE == 0:
                    progress.set_postfix_str(f"{reading.num_documents:,} documents")
            progress.update()


def _read_file(file: SourceFile, options: FileOptions, reading: Reading) -> Iterator[Document]:
    try:
        if suffix_of(file.path) in WHOLE_FILES:
            yield _whole_file(file, reading)
        else:
            yield from _streamed(file, options, reading)
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 a broken file makes the readers raise anything
        reading.skip(file.name, *_reason_of(error))


def _streamed(file: SourceFile, options: FileOptions, reading: Reading) -> Iterator[Document]:
    """Read a file of many documents; if it changed meanwhile, what was read is kept."""
    before = _status(file)
    num_before = reading.num_documents
    yield from (_plain_text if suffix_of(file.path) == PLAIN_TEXT else _table)(file, options, reading)
    num_read = reading.num_documents - num_before
    if _status(file) != before:
        raise UnreadableError("changed while it was read", f"{num_read} documents of it were read")
    if not num_read:
        raise UnreadableError("empty", "it holds white space only, or no row with a text")


def _status(file: SourceFile) -> tuple[int, int, int]:
    status = file.path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _whole_file(file: SourceFile, reading: Reading) -> Document:
    """Read a file that is one document; once more if it changed meanwhile."""
    for _ in range(2):
        before = _status(file)
        try:
            blocks = read_whole_file(file.path)
        except Exception:
            if _status(file) == before:
                raise
            continue
        if _status(file) == before:
            if blocks.is_encoding_guessed:
                reading.note_file(_NOT_UTF8, file.name)
            return blocks.document(id=file.name, file=file.name)
    raise UnreadableError("changed while it was read", "run again when it is finished")


def _plain_text(file: SourceFile, options: FileOptions, reading: Reading) -> Iterator[Document]:
    sample = sample_of(file.path)
    if sample.is_guessed:
        reading.note_file(_NOT_UTF8, file.name)
    unit = options.unit
    if unit == "auto":
        unit, why = unit_of(sample, is_alone=options.is_alone is True)
        what = "the file as a whole" if unit == "document" else f"each {unit}"
        reading.note_file(f"{what} is a document ({why}; `--unit` says otherwise)", file.name)
    yield from read_plain_text(file.path, file.name, sample, unit)


def _table(file: SourceFile, options: FileOptions, reading: Reading) -> Iterator[Document]:
    yield from read_table(lambda: _readable(read_records(file.path)), file.name, options, reading)


def _readable(records: NumberedRecords) -> NumberedRecords:
    """Tell a file that cannot be read from a row that cannot be used."""
    try:
        yield from records
    except UserError as error:
        cause = error.__cause__
        raise (
            cause if isinstance(cause, PermissionError | FileNotFoundError) else UnreadableError("broken", str(error))
        ) from error


def read_table(
    records: Callable[[], NumberedRecords], file: str, options: FileOptions, reading: Reading
) -> Iterator[Document]:
    """Read the rows of a table.

    Args:
        records: Begins a pass over it.
        file: Name of the file in its documents.
        options: Columns that hold the text, and those that are kept.
        reading: The pass, told of what is found.

    Raises:
        UnreadableError: It holds no row, or no column that is known to hold a text.
        UserError: A row cannot be used, and the pass stops there.
    """
    first = first_records(records(), file, BadRows(on_bad_row=reading.bad_rows.on_bad_row))
    if not first:
        raise UnreadableError("empty", "it holds no row")
    (line, record), (_, second) = first[0], first[-1]
    try:
        fields = fields_of(record, options.columns, f"line {line}", second, keep=options.keep)
    except UserError as error:
        raise UnreadableError("unknown columns", str(error)) from error
    for name in options.keep:
        if name not in fields.kept:
            reading.note_file(f"no column {name!r} to keep", file)
    if fields.ignored and options.columns is None:
        reading.note_file(f"columns not read ({', '.join(fields.ignored)}; `--columns` picks others)", file)
    for document in read_rows(records, fields, file, reading.bad_rows):
        yield document if fields.id is None else replace(document, id=reading.unique(document.id))


def _reason_of(error: Exception) -> tuple[Reason, str]:
    match error:
        case UnreadableError():
            return error.reason, error.detail
        case PermissionError():
            return "no permission", "change its mode or its owner"
        case FileNotFoundError():
            return "changed while it was read", "it is gone"
        case MemoryError():
            return "too large when unpacked", "it does not fit into the memory"
        case _:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            return "broken", lines[0]
