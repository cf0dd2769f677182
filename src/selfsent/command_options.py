"""The options that several commands of the command line share, and how the text of an option is read."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selfsent.data.bad_rows import OnBadRow
from selfsent.errors import UserError

if TYPE_CHECKING:
    from selfsent.data.source import Source


Header = Literal["yes", "no"]
"""Whether the first row of a table names its columns."""

SearchMode = Literal["vector", "text", "hybrid"]
"""What a search compares."""

Unit = Literal["auto", "line", "paragraph", "document"]
"""What is a document in a file of plain text."""

TreeFormat = Literal["text", "bracketed", "svg"]
"""How a tree is written."""

Split = Literal["test", "dev"]
"""What a suite is evaluated on."""

Aggregation = Literal["all", "mean", "wmean"]
"""How the subsets of an STS task become one figure."""

EngineName = Literal["local", "ray"]
"""Where documents are read, cut and encoded."""

OnBadTree = Literal["stop", "skip", "balanced", "right", "left", "random"]
"""What to do with a ready parse that cannot be used."""


def _device(name: str | None) -> str | None:
    if name in (None, "cpu"):  # a CPU is there in any case
        return name
    from selfsent.device import checked_device  # noqa: PLC0415 it imports torch, which `--help` need not wait for

    return checked_device(name)


def _model_of(name: str) -> str:
    from selfsent.search.built_model import model_of  # noqa: PLC0415 `--help` need not wait for it

    return model_of(name)


def option_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete ``--set``: the options of the method, or of the recipe's method; of every method where none is known."""
    from selfsent.runs.recipe import find_recipe  # noqa: PLC0415 what completes need not be read for anything else
    from selfsent.runs.train_options import OPTIONS_OF, TrainOptions  # noqa: PLC0415

    try:
        method = find_recipe(str(ctx.params.get("method") or ctx.params.get("recipe")), OPTIONS_OF).method
    except UserError:
        method = ""
    names = OPTIONS_OF[method].split() if method in OPTIONS_OF else sorted(TrainOptions.__annotations__)
    return [
        typed for typed in (*(f"{name}=" for name in names), "preset=", "training.") if typed.startswith(incomplete)
    ]


ModelOrBuild = Annotated[
    str, typer.Argument(help="Model folder, hub name, or a build, for its model.", callback=_model_of)
]
TreeModel = Annotated[str, typer.Argument(help="Folder or hub name of a tree model, or a build.", callback=_model_of)]
Columns = Annotated[str | None, typer.Option(help="Columns of the source by name or 1-based number: A,B[,C].")]
FirstRow = Annotated[
    Header | None,
    typer.Option("--header", help="Whether the first row names the columns (default: if it is known to)."),
]
BadRows = Annotated[OnBadRow, typer.Option(help="Stop at the first bad row, or skip and count them.")]
MaxRows = Annotated[int | None, typer.Option(min=1, max=sys.maxsize, help="Rows of the source to use.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A method's option, or training.KEY.", autocompletion=option_names),
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
Engine = Annotated[EngineName, typer.Option(help="This process, or the workers of Ray (`selfsent[ray]`).")]
Address = Annotated[
    str | None, typer.Option(help="HOST:PORT of a Ray cluster, or auto; default: a Ray on this machine.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder of the evaluation data (default: $SELFSENT_DATA).")]


def picked(columns: str | None) -> list[str | int] | None:
    """Read a choice of columns, names or numbers that count from 1."""
    return None if columns is None else [name for name in (part.strip() for part in columns.split(",")) if name]


def header_of(header: Header | None) -> bool | None:
    """Whether the first row of a table names its columns; ``None`` where nobody said so."""
    return None if header is None else header == "yes"


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
        on_bad_row=on_bad_row,
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
