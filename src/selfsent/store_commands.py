"""The commands of a store: ``index``, ``search``, ``forget`` and ``versions``."""

from typing import Annotated, Literal

import typer

from selfsent.command_options import (
    Address,
    BadRows,
    BatchSize,
    Columns,
    Device,
    Engine,
    FirstRow,
    Forget,
    Keep,
    MaxRows,
    ModelOrBuild,
    SearchMode,
    TextUnit,
    Where,
    header_of,
    picked,
)
from selfsent.commands import Command, note
from selfsent.printed_text import show


def index(
    model: ModelOrBuild,
    input: Annotated[str, typer.Argument(metavar="INPUT", help="A source of texts.")],
    store: Annotated[str, typer.Option(help="Folder (or s3://... URI) of the store.")],
    columns: Columns = None,
    header: FirstRow = None,
    on_bad_row: BadRows = "stop",
    max_rows: MaxRows = None,
    unit: TextUnit = None,
    keep: Keep = None,
    forget: Forget = False,
    vectors: Annotated[
        Literal["float32", "int8"] | None,
        typer.Option(help="How a new store holds vectors: float32, or int8 (a quarter of the size)."),
    ] = None,
    keep_version: Annotated[
        bool, typer.Option("--keep-version", help="Keep this version of the store for `search --version`.")
    ] = False,
    batch_size: BatchSize = 64,
    device: Device = None,
    engine: Engine = "local",
    address: Address = None,
) -> None:
    """Put the texts of a source and their embeddings into a store; what is there already is not done again."""
    from selfsent.loading import open_to_encode
    from selfsent.search.index_source import IndexRequest, index_source
    from selfsent.search.ray_engine import engine_of

    request = IndexRequest(
        source=input,
        unit=unit,
        keep=tuple(map(str, picked(keep) or ())),
        forget=forget,
        columns=picked(columns),
        header=header_of(header),
        on_bad_row=on_bad_row,
        max_rows=max_rows,
        batch_size=batch_size,
        vectors=vectors,
        keep_version=keep_version,
        engine=engine_of(engine, address, device),
    )
    report, notes = index_source(open_to_encode(model, device=device), request, store, model_path=model)
    note(*notes)
    show(*report.lines(store))


def search(
    store: Annotated[str, typer.Argument(help="Folder (or URI) of the store.")],
    query: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int, typer.Option("-k", "--k", help="How many answers.")] = 5,
    mode: Annotated[SearchMode, typer.Option(help="Compare meanings, words, or both.")] = "hybrid",
    where: Where = None,
    all: Annotated[
        bool, typer.Option("--all", help="Show weak answers too; of fewer than 200 passages none is hidden.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    version: Annotated[int | None, typer.Option(help="Search this kept version (see `selfsent versions`).")] = None,
    model: Annotated[str | None, typer.Option(help="Where the store's model is, if it was moved.")] = None,
    device: Device = None,
) -> None:
    """Find the documents of a store that answer a query; one line each where the output is not a terminal."""
    from selfsent.search.hit_table import show_answers
    from selfsent.search.semantic_search import SemanticSearch

    search = SemanticSearch(store, model, device=device, words_only=mode == "text", version=version)
    show_answers(search.answers([query], k, mode, where=where, all=all)[0], as_json=as_json)


def forget(
    store: Annotated[str, typer.Argument(help="Folder (or URI) of the store.")],
    documents: Annotated[list[str], typer.Argument(metavar="DOCUMENT...", help="Ids of documents, as answers say.")],
) -> None:
    """Remove documents from a store; the next `index` of a source that still holds them adds them again."""
    from selfsent.search.forgetting import forget_documents

    num_removed = forget_documents(store, documents)
    show(f"{len(dict.fromkeys(documents)):,} documents removed from {store}: {num_removed:,} passages")


def versions(
    store: Annotated[str, typer.Argument(help="Folder of the store.")],
    drop: Annotated[int | None, typer.Option(help="Stop keeping this version.")] = None,
) -> None:
    """List the versions of a store that can be searched: the latest, and those that `index --keep-version` kept."""
    from selfsent.search.kept_versions import drop_version, stored_versions

    if drop is not None:
        dropped = drop_version(store, drop)
        show(f"version {dropped.version} of {store} is not kept any more ({dropped.num_rows:,} rows)")
        return
    known = stored_versions(store)
    show(*([one.line() for one in known] or [f"{store} keeps no version, and its latest has no snapshot"]))


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (index, search, forget, versions):
        app.command(cls=Command)(command)
