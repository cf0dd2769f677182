"""Compute the cosine below which an answer is no better than a random text."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.search.ranking import Ranked
from selfsent.words import Analyser

NUM_DRAWN = 1000
"""Passages that are drawn at random; each half of one is compared with all of the others."""

_NUM_NEAREST = 10
_LEAST_SHARE = 0.99

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


def random_level(rows: Sequence[Mapping[str, Any]], encode_queries: Encode, *, num_rows: int) -> float | None:
    """Measure the cosine that only the ten nearest of a store's passages reach with a text drawn at random.

    Of random pairs, 99 of 100 stay below it, and in a store of more than 1,000 passages all but 10 of as many. A fixed
    share would be too low in a large store, whose nearest passages are the extremes of many.

    Args:
        rows: Passages drawn at random: ``text``, ``title``, ``document``, ``vector``. The first half of each is encoded
            as a query, and paired with the passages of other documents.
        encode_queries: Embeds queries.
        num_rows: Passages of the store.

    Returns:
        The level; None where there are no two documents.
    """
    texts = [first_half(row["text"] or row["title"] or "") for row in rows]
    if not any(texts):
        return None
    queries = _unit(encode_queries([text or " " for text in texts]))
    vectors = _unit(np.array([row["vector"] for row in rows]))
    documents = [number if row["document"] is None else row["document"] for number, row in enumerate(rows)]
    numbers = np.unique(np.array(list(map(str, documents))), return_inverse=True)[1]
    has_direction = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(vectors, axis=1) > 0
    is_pair = (numbers[:, None] != numbers) & has_direction
    cosines = (queries @ vectors.T)[is_pair]
    return float(np.quantile(cosines, max(_LEAST_SHARE, 1 - _NUM_NEAREST / num_rows))) if len(cosines) else None


def _unit(vectors: NDArray[Any]) -> NDArray[np.float64]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors, dtype=np.float64) / np.where(norms > 0, norms, 1)


def is_weak(
    ranked: Ranked, row: Mapping[str, Any], query: str, analyser: Analyser | None, *, weak_below: float
) -> bool:
    """Tell whether an answer is as far from the query as a random text and holds no content word of it.

    Args:
        ranked: The answer.
        row: Its passage: ``text`` and ``title``.
        query: The query.
        analyser: Finds the words; without it nothing is weak.
        weak_below: The level.
    """
    if analyser is None or ranked.cosine is None or ranked.cosine >= weak_below:
        return False
    if ranked.words > ranked.passage.words:  # another passage of the document has words of the query
        return False
    words = analyser.analyse(f"{row.get('title') or ''} {row['text']}")
    return analyser.content(query).isdisjoint(words)


def first_half(text: str) -> str:
    """The first half of a text, to the end of its last whole word."""
    middle = (len(text) + 1) // 2
    half = text[:middle]
    is_cut = middle < len(text) and not text[middle].isspace() and not half[-1:].isspace()
    words = half.rsplit(maxsplit=1)
    return words[0] if is_cut and len(words) > 1 else half.strip()
