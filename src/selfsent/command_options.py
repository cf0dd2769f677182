"""The options that several commands of the command line share, and how the text of an option is read."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from selfsent.errors import UserError, not_one_of

if TYPE_CHECKING:
    from selfsent.data.source import Source


class OnBadRow(StrEnum):
    """What to do at a row that cannot be used."""

    stop = "stop"
    skip = "skip"


class Header(StrEnum):
    """Whether the first row of a table names its columns."""

    yes = "yes"
    no = "no"


class SearchMode(StrEnum):
    """What a search compares."""

    vector = "vector"
    text = "text"
    hybrid = "hybrid"


class Unit(StrEnum):
    """What is a document in a file of plain text."""

    auto = "auto"
    line = "line"
    paragraph = "paragraph"
    document = "document"


class TreeFormat(StrEnum):
    """How a tree is written."""

    text = "text"
    bracketed = "bracketed"
    svg = "svg"


def _device(name: str | None) -> str | None:
    if name in (None, "cpu"):  # a CPU is there in any case
        return name
    from selfsent.device import checked_device  # noqa: PLC0415 it imports torch, which `--help` need not wait for

    return checked_device(name)


Columns = Annotated[str | None, typer.Option(help="Columns of the source by name or 1-based number: A,B[,C].")]
FirstRow = Annotated[
    Header | None,
    typer.Option("--header", help="Whether the first row names the columns (default: if it is known to)."),
]
BadRows = Annotated[OnBadRow, typer.Option(help="Stop at the first bad row, or skip and count them.")]
MaxRows = Annotated[int | None, typer.Option(min=1, max=sys.maxsize, help="Rows of the source to use.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A method's option, or training.KEY.")
]
SEED = typer.Option(min=0, max=2**32 - 1, help="Seeds weights, dropout and order (default: the recipe's, or 42).")
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda, cuda:1, mps; default: the best there is.", callback=_device)
]
BatchSize = Annotated[int, typer.Option(min=1, help="Texts encoded at once.")]
TextUnit = Annotated[
    Unit | None, typer.Option("--unit", help="What a .txt file holds: each a document (default: line, as bare texts).")
]
Keep = Annotated[str | None, typer.Option(help="Columns of tables to filter by: A,B (`search --where`).")]
Forget = Annotated[bool, typer.Option("--forget", help="Remove what INPUT no longer holds.")]
Where = Annotated[str | None, typer.Option(help="SQL that answers meet, such as \"file LIKE 'guide/%'\".")]
StoreMode = Annotated[SearchMode, typer.Option("--mode", help="How a store is searched (as MODEL, with --qrels).")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder of the evaluation data (default: $SELFSENT_DATA).")]


def picked(columns: str | None) -> list[str | int] | None:
    """Read a choice of columns, names or numbers that count from 1."""
    return None if columns is None else [name for name in (part.strip() for part in columns.split(",")) if name]


def header_of(header: Header | None) -> bool | None:
    """Whether the first row of a table names its columns; ``None`` where nobody said so."""
    return None if header is None else header is Header.yes


def opened(
    spec: str,
    columns: str | None,
    header: Header | None,
    on_bad_row: OnBadRow,
    max_rows: int | None,
    *,
    output: str | Path,
) -> "Source":
    """Open the source of a command whose output may stand in the folder that is read.

    Raises:
        UserError: As `selfsent.data.sources.open_source`.
    """
    from selfsent.data.sources import open_source  # noqa: PLC0415 it imports what `--help` does not need

    return open_source(
        spec,
        columns=picked(columns),
        header=header_of(header),
        on_bad_row=on_bad_row.value,
        max_rows=max_rows,
        exclude=[output],
    )


def data_dir_of(data_dir: Path | None) -> Path | None:
    """The folder of the evaluation data: the one that was named, else that of ``$SELFSENT_DATA``."""
    from selfsent.data.source_files import expanded  # noqa: PLC0415 it imports what `--help` does not need

    folder = data_dir or os.environ.get("SELFSENT_DATA")
    return expanded(folder) if folder else None


def languages_of(languages: str | None) -> tuple[str, ...]:
    """Read a choice of languages and pairs of them, each once.

    Raises:
        UserError: A name is neither a language code nor a pair of codes, or no name is given.
    """
    if languages is None:
        return ()
    from selfsent.data.languages import is_language_code  # noqa: PLC0415 `selfsent.data` imports what `--help` does not need

    names = tuple(dict.fromkeys(name for name in (part.strip() for part in languages.split(",")) if name))
    unknown = [
        name
        for name in names
        if not (is_language_code(name) or ("-" in name and all(map(is_language_code, name.split("-", 1)))))
    ]
    if unknown or not names:
        received = f"no language has the code {', '.join(unknown)}" if unknown else "--languages names none"
        raise UserError(f"{received}; give codes such as de, or pairs such as en-de, with commas between them")
    return names


def one_of(option: str, value: str, *allowed: str) -> Any:
    """Check that an option has one of its values.

    Raises:
        UserError: It has another.
    """
    if value not in allowed:
        raise UserError(not_one_of(option, value, allowed))
    return value


def refuse_useless(*, beside: bool, corpus: str | None, skipping: bool) -> None:
    """Refuse options of ``evaluate`` that have nothing to work on.

    Raises:
        UserError: One of them was given.
    """
    if beside:
        raise UserError("--baselines stand beside one model, on --suite; leave out further models, --pairs and --qrels")
    if corpus is not None:
        raise UserError(f"--corpus {corpus} is for --baselines, which was not asked for; add it or leave both out")
    if skipping:
        raise UserError("--on-bad-row is for --pairs and for the corpus of --baselines; name one or leave it out")
