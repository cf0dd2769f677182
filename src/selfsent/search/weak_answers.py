"""The level below which an answer is no nearer to a query than a text drawn at random."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.search.ranking import Ranked
from selfsent.words import Analyser

NUM_PAIRS = 1000
PERCENTILE = 99
Encode = Callable[[Sequence[str]], NDArray[np.float32]]


def random_level(rows: Sequence[Mapping[str, Any]], encode_queries: Encode) -> float | None:
    """Measure the cosine that 99 of 100 random pairs stay below.

    A pair is the first half of a passage, encoded as a query, and a passage of another document.

    Args:
        rows: Passages drawn at random: ``text``, ``title``, ``document``, ``vector``.
        encode_queries: Embeds queries.

    Returns:
        The level; None where there are no two documents.
    """
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = [rows[number] for number in order]
    pairs = [
        (one, other)
        for one, other in zip(shuffled, [*shuffled[1:], *shuffled[:1]], strict=True)
        if one["document"] is None or one["document"] != other["document"]
    ]
    halves = [_half(one["text"] or one["title"] or "") for one, _ in pairs]
    pairs = [pair for pair, half in zip(pairs, halves, strict=True) if half]
    halves = [half for half in halves if half]
    if not pairs:
        return None
    queries = np.asarray(encode_queries(halves), dtype=np.float64)
    others = np.array([other["vector"] for _, other in pairs], dtype=np.float64)
    norms = np.linalg.norm(queries, axis=1) * np.linalg.norm(others, axis=1)
    cosines = (queries * others).sum(axis=1)[norms > 0] / norms[norms > 0]
    return float(np.percentile(cosines, PERCENTILE)) if len(cosines) else None


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


def _half(text: str) -> str:
    """The first half of a text, to the end of its last whole word."""
    middle = (len(text) + 1) // 2
    half = text[:middle]
    is_cut = middle < len(text) and not text[middle].isspace() and not half[-1:].isspace()
    words = half.rsplit(maxsplit=1)
    return words[0] if is_cut and len(words) > 1 else half.strip()
