"""Open whatever holds texts: a file or a folder of files, a data set of the hub (``hf:NAME``), translations, ``docs:``.

The meaning of the columns is decided when a source is opened, so a mistake shows before anything is computed.
"""

from collections.abc import Sequence
from pathlib import Path

from selfsent.data.bad_rows import OnBadRow
from selfsent.data.parallel.parallel_formats import is_parallel
from selfsent.data.parallel.parallel_sources import open_parallel
from selfsent.data.source import Source, source_of_tables
from selfsent.data.source_files import CHECK_THE_PATH, expanded, file_tables, refuse_missing
from selfsent.data.tables import Reading, Table, Tables
from selfsent.errors import UserError


def open_source(
    spec: str | Path,
    *,
    columns: Sequence[str | int] | None = None,
    header: bool | None = None,
    on_bad_row: OnBadRow = "stop",
    max_rows: int | None = None,
    exclude: Sequence[str | Path] = (),
) -> Source:
    """Open what holds texts: a file, a folder, ``hf:NAME[:config][:split]`` or ``docs:[train|heldout]``.

    The formats are ``.txt`` (one text a line), ``.jsonl``, ``.csv`` (quoted), ``.tsv`` (never quoted) and ``.parquet``,
    each also ``.gz``, ``.xz`` or ``.zst``. The columns are named sets (``text``; ``anchor, positive[, negative]``;
    ``premise, hypothesis, label``; ``sentence1, sentence2, score``; ``source, target``; language codes), or count by
    position: one text, a pair, a triplet, four and more alternative texts ``text_1 ... text_n`` of one thing.

    Args:
        spec: What to open.
        columns: Columns by name or 1-based number, in the order wanted; default: what names or positions say.
        header: Whether the first row of a ``.csv``, ``.tsv`` or ``.txt`` file names its columns; default: it does where
            every name is known, or one is picked.
        on_bad_row: ``stop`` raises at the first row that cannot be used, ``skip`` counts such rows.
        max_rows: Read at most this many rows, at least 1; default all.
        exclude: Files and folders not to read where ``spec`` is a folder that holds them, such as the output of the
            work that reads it.

    Returns:
        The source. The first row has been read, so its columns are known.

    Raises:
        UserError: There is no such source, it is empty, binary or unreadable, or it lacks the columns.
    """
    name = str(spec)
    _check_request(name, columns, on_bad_row, max_rows)
    if is_parallel(name):
        return open_parallel(
            name, columns=columns, header=header, on_bad_row=on_bad_row, max_rows=max_rows, exclude=exclude
        )
    if header is not None and name.startswith(("docs:", "hf:")):
        raise UserError(f"{name} names its columns itself, and --header is for .csv, .tsv and .txt files; leave it out")
    if name.startswith("docs:"):
        return _open_docs(name, max_rows)
    opened = _hub_tables(name) if name.startswith("hf:") else file_tables(expanded(spec), exclude)
    return source_of_tables(opened, Reading(columns, header, on_bad_row), spec=name, max_rows=max_rows)


def refuse_missing_source(spec: str | Path) -> None:
    """Refuse a missing path before any file is opened; other kinds of source (``docs:``, ``hf:``, pairs) pass.

    Raises:
        UserError: The path does not exist, or names a pipe, a socket or a device, which can be read only once.
    """
    name = str(spec)
    if not is_parallel(name) and not name.startswith(("docs:", "hf:")):
        refuse_missing(expanded(spec), CHECK_THE_PATH)


def _check_request(spec: str, columns: Sequence[str | int] | None, on_bad_row: str, max_rows: int | None) -> None:
    if not spec.strip():
        raise UserError("the name of the source is empty; name a file, a folder, `hf:NAME` or `docs:`")
    if max_rows is not None and max_rows < 1:
        raise UserError(f"max_rows must be at least 1, got {max_rows}")
    if on_bad_row not in ("stop", "skip"):
        raise UserError(f"on_bad_row must be stop or skip, got {on_bad_row!r}")
    if columns is not None and not columns:
        raise UserError("columns must name at least one column, got none; leave the option out for the default")


def _hub_tables(spec: str) -> Tables:
    from selfsent.data.hub import hub_records  # noqa: PLC0415 the datasets library takes a second to import

    records = hub_records(spec)
    return Tables([Table(spec.removeprefix("hf:"), spec, records, lambda: records(None))], [])


def _open_docs(spec: str, max_rows: int | None) -> Source:
    from selfsent.data.docs import PROVENANCE_COLUMNS, open_docstrings  # noqa: PLC0415 only this source needs it

    part = spec.removeprefix("docs:")
    if part not in ("", "train", "heldout"):
        raise UserError(f"got {spec}; the parts of the embedded corpus are `docs:`, `docs:train` and `docs:heldout`")
    corpus = open_docstrings()
    return Source(
        spec=spec,
        columns=("text",),
        provenance_columns=PROVENANCE_COLUMNS,
        read=lambda _: (dict(row) for row in corpus.sentences(part or "all")),
        notes=corpus.notes,
        max_rows=max_rows,
    )
