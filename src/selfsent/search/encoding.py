"""Encoding the texts of a source to a file, in parts, so that it can be killed at any moment and run again."""

import hashlib
import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from selfsent.atomic import atomic_path, write_text
from selfsent.data.bad_rows import BadRows
from selfsent.data.source import Source
from selfsent.encoding import Vectors, chunked, count_cut, cut_note, default_prompt, encode_texts
from selfsent.errors import UserError
from selfsent.model_content import content_hash
from selfsent.one_writer import LOCK_FILE, one_writer
from selfsent.search.ray_engine import RayEngine
from selfsent.search.text_id import NAMED_AT_ONCE, TextIds

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from selfsent.runtime.runtime_model import RuntimeModel

ROWS_PER_PART = 8192
SUFFIXES = (".parquet", ".npy")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EncodingReport:
    """What an encoding did.

    Args:
        output: The file it wrote.
        num_texts: Rows of the file.
        num_encoded: Those encoded by this run; the others were found from an earlier run that was killed.
        dimension: Length of a vector.
        num_cut: Texts encoded by this run that are longer than what the model reads.
    """

    output: Path
    num_texts: int
    num_encoded: int
    dimension: int
    num_cut: int = 0


def encode(
    model: "SentenceTransformer | RuntimeModel",
    source: Source,
    output: str | Path,
    *,
    model_path: str | Path,
    batch_size: int = 32,
    rows_per_part: int = ROWS_PER_PART,
    overwrite: bool = False,
    engine: RayEngine | None = None,
) -> EncodingReport:
    """Write the embeddings of a source to a file.

    Parts are written beside the output (``.NAME.parts``) and joined at the end. A run after a kill goes on behind the
    last whole part; parts of another model, another source or another part size are deleted.

    Args:
        model: The open model; texts go through its ``encode``.
        source: Every text of every row becomes one row of the file, in order.
        output: ``.parquet`` (columns ``id``, ``text``, ``embedding``) or ``.npy`` (float32, ``(texts, dimension)``).
        model_path: Where the model was opened from: its content is hashed to know whose the parts are.
        batch_size: Texts encoded at once.
        rows_per_part: Texts of a part: what a kill loses at most, and what memory holds.
        overwrite: Whether an output that exists is replaced.
        engine: Ray, whose workers open the model by its path and must see the output's folder; None for this process.

    Returns:
        Counts.

    Raises:
        UserError: The output's suffix is another, it exists, it cannot be written, or the model gives vectors that are
            not finite.
    """
    output = Path(output).expanduser()
    _refuse_output(output, overwrite=overwrite)
    if batch_size < 1 or rows_per_part < 1:
        raise UserError(f"batch_size and rows_per_part must be at least 1, got {batch_size} and {rows_per_part}")
    owner = f"{content_hash(model_path)} {source.sha256()} {rows_per_part}"
    folder = output.with_name(f".{output.name}.parts")
    with one_writer(folder, "file", shown=output):
        parts = _Parts(folder.absolute(), hashlib.sha256(owner.encode()).hexdigest())
        make = partial(_PartEncoder, parts=parts, batch_size=batch_size)
        blocks = partial(_blocks, source, rows_per_part)
        done = map(make(model), blocks()) if engine is None else engine.map(make, model_path, [blocks])
        counts = _counted(done, source)
        files = [parts.path(number) for number in range(-(-counts["num_texts"] // rows_per_part))]
        with atomic_path(output) as aside:
            dimension = (_join_parquet if output.suffix == ".parquet" else _join_npy)(files, aside, counts["num_texts"])
        shutil.rmtree(folder, ignore_errors=True)
    report = EncodingReport(output=output, dimension=dimension, **counts)
    if report.num_cut:
        _LOG.warning(cut_note(model, report.num_cut, report.num_encoded))
    return report


Block = tuple[int, list[tuple[str, str]]]
"""Number of a part, and ids and texts of its rows."""


def _blocks(source: Source, rows_per_part: int) -> Iterator[Block | BadRows]:
    yield from enumerate(chunked(_identified(source), rows_per_part))
    yield source.left_out


class _PartEncoder:
    """Encodes a part and writes it, unless it is there."""

    def __init__(self, model: "SentenceTransformer | RuntimeModel", parts: "_Parts", batch_size: int) -> None:
        self._model = model
        self._parts = parts
        self._batch_size = batch_size

    def __call__(self, block: Block | BadRows) -> dict[str, int] | BadRows:
        """Give the counts of the report."""
        if isinstance(block, BadRows):
            return block
        number, rows = block
        if self._parts.path(number).is_file():
            return {"num_texts": len(rows)}
        texts = [text for _, text in rows]
        self._parts.write(number, rows, encode_texts(self._model.encode, texts, batch_size=self._batch_size))
        num_cut = count_cut(self._model, texts, prompt=default_prompt(self._model))
        return {"num_texts": len(rows), "num_encoded": len(rows), "num_cut": num_cut}


def _counted(done: Iterable[dict[str, int] | BadRows], source: Source) -> dict[str, int]:
    """Add the counts of all parts, and give the source what a reader elsewhere left out."""
    counts: dict[str, int] = dict.fromkeys(("num_texts", "num_encoded", "num_cut"), 0)
    with tqdm(desc="encoding", unit=" texts", disable=None) as progress:
        for found in done:
            if isinstance(found, BadRows):
                source.take_in(found)
                continue
            for name, number in found.items():
                counts[name] += number
            progress.update(found["num_texts"])
    if not counts["num_texts"]:
        raise UserError(f"{source.spec} holds no text to encode; name a source with at least one")
    return counts


@dataclass(frozen=True)
class _Parts:
    """The folder of parts; emptied when it belongs to another model, source or part size."""

    folder: Path
    owner: str

    def __post_init__(self) -> None:
        record = self.folder / "owner"
        if not record.is_file() or record.read_text("utf8") != self.owner:
            for file in self.folder.iterdir():
                if file.name != LOCK_FILE:
                    file.unlink()
            write_text(record, self.owner)

    def path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.parquet"

    def write(self, number: int, rows: Sequence[tuple[str, str]], vectors: Vectors) -> None:
        import pyarrow as pa  # noqa: PLC0415 a quarter of a second, and only writing needs it
        from pyarrow import parquet  # noqa: PLC0415

        ids, texts = zip(*rows, strict=True)
        embedding = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        with atomic_path(self.path(number)) as aside, aside.open("wb") as stream:  # pyarrow takes no path beyond UTF-8
            parquet.write_table(pa.table({"id": ids, "text": texts, "embedding": embedding}), stream)


def _identified(source: Source) -> Iterator[tuple[str, str]]:
    identify = TextIds()
    for texts in chunked(source.texts(), NAMED_AT_ONCE):
        yield from zip(identify(texts), texts, strict=True)


def _refuse_output(output: Path, *, overwrite: bool) -> None:
    if output.suffix not in SUFFIXES:
        raise UserError(f"cannot tell the format of {output}: its name must end in .parquet or .npy")
    if output.is_dir():
        raise UserError(f"{output} is a folder; name a file")
    if output.exists() and not overwrite:
        raise UserError(f"{output} exists; pass `--overwrite` to replace it, or name another file")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror}; name another place") from error


def _read_part(file: Path, columns: Sequence[str] | None = None) -> Any:
    from pyarrow import parquet  # noqa: PLC0415

    with file.open("rb") as stream:
        return parquet.read_table(stream, columns=columns)


def _join_parquet(files: Sequence[Path], aside: Path, num_rows: int) -> int:
    """Write the parts as the row groups of one file; return the dimension."""
    from pyarrow import parquet  # noqa: PLC0415

    schema = _read_part(files[0]).schema
    num_written = 0
    with aside.open("wb") as stream, parquet.ParquetWriter(stream, schema) as writer:
        for file in files:
            table = _read_part(file)
            writer.write_table(table)
            num_written += table.num_rows
    assert num_written == num_rows, "every part is whole"  # noqa: S101 our own invariant
    return int(schema.field("embedding").type.list_size)


def _join_npy(files: Sequence[Path], aside: Path, num_rows: int) -> int:
    """Write the parts' vectors one below the other; return the dimension.

    A file that is mapped into memory would end the process where the disk is full.
    """
    dimension = int(_read_part(files[0]).schema.field("embedding").type.list_size)
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False}
    num_written = 0
    with aside.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header | {"shape": (num_rows, dimension)})
        for file in files:
            vectors = _read_part(file, ["embedding"]).column("embedding").combine_chunks().flatten().to_numpy()
            stream.write(vectors.tobytes())
            num_written += vectors.size
    assert num_written == num_rows * dimension, "every part is whole"  # noqa: S101 our own invariant
    return dimension
