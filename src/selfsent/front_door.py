"""The main commands as functions that take and return values."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from selfsent.errors import UserError
from selfsent.options import unknown_option

if TYPE_CHECKING:
    from selfsent.data.bad_rows import OnBadRow
    from selfsent.documents import Unit
    from selfsent.export.exporting import ExportReport, Format
    from selfsent.search.encoding import EncodingReport
    from selfsent.search.hits import Answers
    from selfsent.search.indexing import IndexReport
    from selfsent.search.ray_engine import EngineName
    from selfsent.search.store_schema import VectorType

# What a job needs is imported when the job is done: `encode` needs no store, and `query` no trainer.


class BuildOptions(TypedDict, total=False):
    """Options of ``build``; `selfsent.document_build.build_request.BuildRequest` says what each one means."""

    base: str | None
    teacher: str | None
    model: str | None
    minutes: float
    unit: "Unit"
    columns: Sequence[str | int] | None
    on_bad_row: "OnBadRow"
    seed: int
    retrain: bool
    device: str | None
    engine: "EngineName"
    address: str | None


class IndexOptions(TypedDict, total=False):
    """Options of ``index``; `selfsent.search.index_source.IndexRequest` says what each one means."""

    unit: "Unit | None"
    keep: Sequence[str]
    forget: bool
    columns: Sequence[str | int] | None
    header: bool | None
    on_bad_row: "OnBadRow"
    max_rows: int | None
    batch_size: int
    vectors: "VectorType | None"
    keep_version: bool


class ExportOptions(TypedDict, total=False):
    """Options of ``export_model``; `selfsent.export.exporting.ExportRequest` says what each one means."""

    format: "Format | None"
    dimensions: int | None
    reduction: Literal["pca", "truncate"]
    data: str | None
    data_dir: Path | None
    max_loss: float
    overwrite: bool


def build(source: str | Path, output: str | Path, **options: Unpack[BuildOptions]) -> dict[str, Any]:
    """Make documents searchable: read, learn, measure without labels, index, report.

    The same call on a changed source adds, updates and forgets.

    Args:
        source: Documents: a file, a folder, ``hf:NAME`` or ``docs:``.
        output: Folder of the build; receives ``model/``, ``store/``, ``report.json`` and ``report.html``.
        **options: See ``BuildOptions``.

    Returns:
        The report, as ``report.json`` holds it, with the map and the examples of the page beside it.

    Raises:
        UserError: An option is not known, the folder holds something else or is in use, or no document can be read.

    Example:
        >>> import selfsent
        >>> report = selfsent.build("handbook", "handbook-search", minutes=2)  # doctest: +SKIP
        >>> report["retrieval"]["hybrid"]["ndcg@10"]  # doctest: +SKIP
    """
    from selfsent.document_build import BuildRequest  # noqa: PLC0415
    from selfsent.document_build import build as run  # noqa: PLC0415

    _require_known("build", options, BuildOptions)
    return run(BuildRequest(source=str(source), output=Path(output), **options))


def index(
    model: str | Path,
    source: str | Path,
    store: str | Path,
    *,
    device: str | None = None,
    engine: "EngineName" = "local",
    address: str | None = None,
    **options: Unpack[IndexOptions],
) -> "IndexReport":
    """Put the texts or documents of a source and their vectors into a store; what is there is not done again.

    Args:
        model: Model folder or hub name, or the folder of a ``build``.
        source: A file, a folder, ``hf:NAME`` or ``docs:``.
        store: Folder, or URI such as ``s3://...``, of the store.
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; default: the best there is.
        engine: ``local``, or ``ray``: the workers of Ray read, cut, encode and write.
        address: ``HOST:PORT`` of a Ray cluster, or ``auto``; default: a Ray on this machine.
        **options: See ``IndexOptions``.

    Returns:
        Counts of what was added, updated, removed and left as it was.

    Raises:
        UserError: An option is not known, the source cannot be read, or the store is of another model.
    """
    from selfsent.loading import open_to_encode  # noqa: PLC0415
    from selfsent.search.built_model import model_of  # noqa: PLC0415
    from selfsent.search.index_source import IndexRequest, index_source  # noqa: PLC0415
    from selfsent.search.ray_engine import engine_of  # noqa: PLC0415

    _require_known("index", options, IndexOptions)
    request = IndexRequest(source=str(source), engine=engine_of(engine, address, device), **options)
    place = model_of(model)
    report, _ = index_source(open_to_encode(place, device=device), request, str(store), model_path=place)
    return report


def query(
    store: str | Path,
    text: str,
    k: int = 5,
    *,
    mode: Literal["hybrid", "vector", "text"] = "hybrid",
    where: str | None = None,
    all: bool = False,  # noqa: A002 the name of the command's option
    version: int | None = None,
) -> "Answers":
    """Find the documents of a store that answer a query.

    It opens the store and its model anew; for many queries make one ``selfsent.SemanticSearch``.

    Args:
        store: Folder or URI of a store, or the folder of a ``build``.
        text: What to look for.
        k: Number of answers.
        mode: Compare meanings (``vector``), words (``text``), or both, fused with the store's recorded weight.
        where: SQL condition that answers meet, such as ``"file LIKE 'guide/%'"``.
        all: Whether weak answers are given too.
        version: A version that was kept (``index`` with ``keep_version``); default: the latest.

    Returns:
        The hits, best first, grouped by document, and how many weak ones are hidden.

    Raises:
        UserError: There is no such store, its model is not found, or the query, ``k`` or the condition is wrong.
    """
    from selfsent.search.semantic_search import SemanticSearch  # noqa: PLC0415

    search = SemanticSearch(store, words_only=mode == "text", version=version)
    return search.answers([text], k, mode, where=where, all=all)[0]


def encode(
    model: str | Path,
    source: str | Path,
    output: str | Path,
    *,
    batch_size: int = 64,
    overwrite: bool = False,
    device: str | None = None,
    engine: "EngineName" = "local",
    address: str | None = None,
) -> "EncodingReport":
    """Write the embeddings of a source to a file; an interrupted run continues.

    Args:
        model: Model folder or hub name, or the folder of a ``build``.
        source: A file, a folder, ``hf:NAME`` or ``docs:``; every text is one row.
        output: A ``.parquet`` file (``id, text, embedding``) or a ``.npy`` file.
        batch_size: Texts encoded at once.
        overwrite: Whether a file that exists is replaced.
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; default: the best there is.
        engine: ``local``, or ``ray``: the workers of Ray encode.
        address: As in ``index``.

    Returns:
        Counts, the dimension, and where the file is.

    Raises:
        UserError: The source cannot be read, or the output cannot be written.
    """
    from selfsent.data.sources import open_source  # noqa: PLC0415
    from selfsent.loading import open_to_encode  # noqa: PLC0415
    from selfsent.search.built_model import model_of  # noqa: PLC0415
    from selfsent.search.encoding import encode as run  # noqa: PLC0415
    from selfsent.search.ray_engine import engine_of  # noqa: PLC0415

    opened, place = open_source(source, exclude=[output]), model_of(model)
    return run(
        open_to_encode(place, device=device),
        opened,
        output,
        model_path=place,
        batch_size=batch_size,
        overwrite=overwrite,
        engine=engine_of(engine, address, device),
    )


def export_model(model: str | Path, output: str | Path, **options: Unpack[ExportOptions]) -> "ExportReport":
    """Make a model smaller or torch-free, and measure what that costs: the command ``export``.

    Args:
        model: Model folder or hub name, or the folder of a ``build``.
        output: Folder to write.
        **options: See ``ExportOptions``.

    Returns:
        Size, speed and quality, before and after.

    Raises:
        UserError: An option is not known or cannot be met, or more than ``max_loss`` points are lost; then nothing is
            written.

    Example:
        >>> selfsent.export_model("model", "small", format="int8").cost.num_bytes.after  # doctest: +SKIP
    """
    from selfsent.export.exporting import ExportRequest  # noqa: PLC0415
    from selfsent.export.exporting import export_model as run  # noqa: PLC0415
    from selfsent.search.built_model import model_of  # noqa: PLC0415

    _require_known("export_model", options, ExportOptions)
    return run(ExportRequest(model=model_of(model), output=Path(output), **options))


def _require_known(function: str, options: Any, known: Any) -> None:
    """Refuse a misspelt option, with the name that may have been meant.

    Raises:
        UserError: An option is not known.
    """
    names = list(known.__annotations__)
    problems = [unknown_option(name, names, owner=function) for name in options if name not in names]
    if problems:
        raise UserError("; ".join(problems))
