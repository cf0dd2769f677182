"""Encode texts for evaluation: each distinct text once, with progress, checked for NaN and for a collapsed model."""

import contextlib
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from selfsent.encoding import CutTexts
from selfsent.errors import UserError
from selfsent.printed_text import progress_bar

Vectors = Float[np.ndarray, "B D"]
Role = Literal["text", "query", "document"]
_TextVector = tuple[str, Float[np.ndarray, "D"]]

_LOG = logging.getLogger(__name__)
_ENCODED_AT_ONCE = 1024
_CONSTANT_TOLERANCE = 1e-6


class CollapsedEmbeddingsError(UserError):
    """A model gives every text the same embedding, so that nothing can be scored."""


@dataclass(frozen=True)
class _Memory:
    """What is kept while suites run: embeddings by model and role, and how many texts each model cut."""

    vectors: dict[tuple[int, Role], dict[str, Float[np.ndarray, "D"]]] = field(default_factory=dict)
    cut: dict[int, CutTexts] = field(default_factory=dict)

    def count(self, model: Any, texts: Sequence[str]) -> None:
        self.cut.setdefault(id(model), CutTexts(model)).count(texts)


_MEMORY: ContextVar[_Memory | None] = ContextVar("memory", default=None)


class Encoder(Protocol):
    """What can be evaluated: a ``SentenceTransformer``, or anything that turns texts into rows of an array.

    A model may also have ``encode_query`` and ``encode_document``, as the host's models do; retrieval then uses them.
    """

    def encode(self, inputs: Any, /, *, batch_size: int = 32, show_progress_bar: bool | None = None) -> Any:
        """Embed a list of texts; may ignore ``batch_size`` and ``show_progress_bar``."""
        ...


@runtime_checkable
class TreeModel(Protocol):
    """What the first module of a tree model offers: the tree it builds over whole words."""

    def word_trees(self, sentences: Sequence[Sequence[str]]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Build one binary tree over the words of each sentence.

        Args:
            sentences: The words of each sentence.

        Returns:
            Left and right child of every merge: leaves are ``0..n-1``, merge ``i`` makes node ``n + i``.
        """
        ...


class SentenceVectors(Mapping[str, Float[np.ndarray, "D"]]):
    """The embeddings of some texts, looked up by text.

    Args:
        row_of: Row of each distinct text.
        rows: Their embeddings.
    """

    def __init__(self, *, row_of: dict[str, int], rows: Vectors) -> None:
        self._row_of = row_of
        self._rows = rows

    def __getitem__(self, text: str) -> Float[np.ndarray, "D"]:
        return self._rows[self._row_of[text]]

    def __iter__(self):
        return iter(self._row_of)

    def __len__(self) -> int:
        return len(self._row_of)

    def of(self, texts: Sequence[str]) -> Vectors:
        """Give the embeddings of ``texts``, in order and repeated where a text is."""
        return self._rows[[self._row_of[text] for text in texts]]


def encode_distinct(
    model: Encoder, texts: Iterable[str], *, role: Role = "text", batch_size: int = 64, what: str = "texts"
) -> SentenceVectors:
    """Embed each distinct text once, long texts first, with a progress bar once it takes over two seconds.

    Args:
        model: The model.
        texts: The texts, repeated or not.
        role: ``query`` and ``document`` use the model's own methods for them where it has such.
        batch_size: Texts encoded at once.
        what: What the texts are, for the progress bar and for errors.

    Returns:
        The embeddings by text.

    Raises:
        UserError: An embedding is NaN or infinite, or all of them are the same.
    """
    distinct = list(dict.fromkeys(texts))
    memory = _MEMORY.get()
    known = {} if memory is None else memory.vectors.setdefault((id(model), role), {})
    new = [text for text in distinct if text not in known]
    encode = getattr(model, f"encode_{role}", None) or getattr(model, "encode", None)
    if encode is None:
        raise UserError(
            f"{type(model).__name__} ranks documents and has no embeddings to score {what} by; leave it out"
        )
    known = known | dict(_encoded(encode, new, batch_size=batch_size, what=what))
    if memory is not None:
        memory.count(model, new)
        memory.vectors[id(model), role] = known
    rows = np.stack([known[text] for text in distinct]) if distinct else np.zeros((0, 0), dtype=np.float32)
    check_vectors(rows, texts=distinct, what=what)
    return SentenceVectors(row_of={text: row for row, text in enumerate(distinct)}, rows=rows)


def _encoded(encode: Callable[..., Any], texts: Sequence[str], *, batch_size: int, what: str) -> Iterator[_TextVector]:
    """Encode the longest texts first: a lack of memory shows at once, and the time left is not underestimated."""
    by_length = sorted(texts, key=len, reverse=True)
    with progress_bar(total=len(texts), what=what, unit="text") as progress:
        for start in range(0, len(by_length), _ENCODED_AT_ONCE):
            chunk = by_length[start : start + _ENCODED_AT_ONCE]
            rows = _as_rows(encode(chunk, batch_size=batch_size, show_progress_bar=False), len(chunk))
            progress.update(len(chunk))
            yield from zip(chunk, rows, strict=True)


@contextlib.contextmanager
def remembering() -> Generator[None]:
    """Let ``encode_distinct`` keep its embeddings while the block runs, so that suites share what they can.

    At the end it is said once, of each model, how many of the texts it cut.
    """
    memory = _Memory()
    token = _MEMORY.set(memory)
    try:
        yield
    finally:
        _MEMORY.reset(token)
    for note in (note for cut in memory.cut.values() for note in cut.notes()):
        _LOG.warning(note)


def _as_rows(encoded: Any, num_texts: int) -> Vectors:
    rows = np.asarray(encoded)
    if rows.ndim != 2 or len(rows) != num_texts:  # noqa: PLR2004 rows and columns
        raise UserError(
            f"the model's encode gave an array of shape {rows.shape} for {num_texts} texts; it must give one row a text"
        )
    return rows if rows.dtype.itemsize >= np.float32().itemsize else rows.astype(np.float32)


def check_vectors(rows: Vectors, *, texts: Sequence[str], what: str) -> None:
    """Refuse embeddings that no score can be computed from.

    Args:
        rows: The embeddings of distinct texts.
        texts: The texts, for the error.
        what: What they are, for the error.

    Raises:
        UserError: One is NaN or infinite.
        CollapsedEmbeddingsError: Different texts (not in case alone) all have the same (a ``UserError`` too).
    """
    wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(wrong):
        raise UserError(
            f"{len(wrong)} of the {len(rows)} embeddings of {what} hold NaN or infinity, the first that of "
            f"{_shortened(texts[int(wrong[0])])}; the model is broken (a diverged training?), no score is given"
        )
    differ = len({text.casefold() for text in texts}) > 1  # a model may embed texts alike that differ in case alone
    if differ and np.ptp(rows, axis=0).max() <= _CONSTANT_TOLERANCE * np.abs(rows).max():
        raise CollapsedEmbeddingsError(
            f"all {len(rows)} embeddings of {what} are the same, that of {_shortened(texts[0])} as that of "
            f"{_shortened(texts[-1])}; the model has collapsed, no score is given"
        )


def _shortened(text: str, *, width: int = 40) -> str:
    return repr(text if len(text) <= width else text[: width - 1] + "…")


def cosines(left: Vectors, right: Vectors) -> NDArray[np.float64]:
    """Compute the cosine of each row of ``left`` with the same row of ``right``; 0 where a vector is zero.

    Computed in float64 and rounded to float32, the precision of embeddings: pairs of equal sentences all get exactly 1
    and so tie in a rank correlation, where the last bits of float64 would put them into an order of chance.

    Args:
        left: First vectors of the pairs.
        right: Second vectors of the pairs.
    """
    wide_left, wide_right = left.astype(np.float64), right.astype(np.float64)
    norms = np.linalg.norm(wide_left, axis=1) * np.linalg.norm(wide_right, axis=1)
    exact = np.einsum("bd,bd->b", wide_left, wide_right) / np.where(norms > 0, norms, 1.0)
    return exact.astype(np.float32).astype(np.float64)
