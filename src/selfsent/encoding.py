"""Texts to vectors with a model's ``encode``, a batch at a time, and only finite vectors."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError

Item = TypeVar("Item")
Vectors = NDArray[np.float32]


def encode_texts(encode_batch: Callable[..., Any], texts: Sequence[str], *, batch_size: int) -> Vectors:
    """Encode texts with one of the host's methods and require finite vectors.

    Args:
        encode_batch: ``encode``, ``encode_document`` or ``encode_query`` of the model.
        texts: What to encode.
        batch_size: Texts encoded at once.

    Returns:
        Float32 vectors, ``(texts, dimension)``.

    Raises:
        UserError: A vector holds NaN or infinity; its text is named.
    """
    vectors = encode_batch(list(texts), batch_size=batch_size, convert_to_numpy=True, show_progress_bar=False)
    vectors = np.asarray(vectors, dtype=np.float32)
    finite_mask = np.isfinite(vectors).all(axis=1)
    if not finite_mask.all():
        text = texts[int(np.argmin(finite_mask))]
        raise UserError(
            f"the model gives {text[:60]!r} a vector with NaN or infinity; check its training, or use another model"
        )
    return vectors


def chunked(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut a stream into lists of ``size`` items, the last one perhaps shorter."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
