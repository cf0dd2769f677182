"""How often each language is drawn: by a power of its size, so that small languages are seen often enough.

Source: Conneau and Lample 2019 (XLM), Section 3.1: shares in proportion to ``n ** alpha``; ``alpha = 1 / T`` of
temperature sampling.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from selfsent.data.heldout import hash_of_text
from selfsent.errors import UserError

MAX_REPEATS = 10
"""How often a row is drawn in an epoch at most: ten lines beside a million do not become a third of the training."""

DrawnBatch = dict[str, list[Any]]


def shares(counts: Mapping[str, int], *, alpha: float) -> dict[str, float]:
    """Give each language its share of what is drawn.

    Args:
        counts: Rows of each language, above 0.
        alpha: 1 draws in proportion to the rows, 0 draws all languages alike.

    Returns:
        Shares that sum to 1.

    Raises:
        UserError: ``alpha`` is not between 0 and 1.
    """
    if not 0 <= alpha <= 1:
        raise UserError(f"language_alpha={alpha} must be from 0 (all languages alike) to 1 (by their size)")
    total = sum(count**alpha for count in counts.values())
    return {language: count**alpha / total for language, count in counts.items()}


def quotas(counts: Mapping[str, int], total: int, *, alpha: float, max_repeats: int = 1) -> dict[str, int]:
    """Divide a number of draws among languages by their shares; draws that one cannot take go to the others.

    Args:
        counts: Rows of each language, above 0.
        total: Draws to divide.
        alpha: See `shares`.
        max_repeats: How often a row may be drawn.

    Returns:
        Draws a language, at least 1 and at most ``max_repeats`` times its rows.
    """
    open_counts, left = dict(counts), total
    taken: dict[str, int] = {}
    while open_counts:
        wanted = {language: share * left for language, share in shares(open_counts, alpha=alpha).items()}
        full = {language for language, count in open_counts.items() if wanted[language] >= max_repeats * count}
        for language in full or set(open_counts):
            limit = max_repeats * open_counts.pop(language)
            taken[language] = limit if language in full else max(1, round(wanted[language]))
            left -= taken[language] if language in full else 0
    return {language: taken[language] for language in counts}


@dataclass(frozen=True)
class Epoch:
    """The data set of an epoch and what it draws from: ``counts`` rows of each language, ``draws`` of them an epoch."""

    rows: Dataset
    counts: Mapping[str, int]
    draws: Mapping[str, int]

    def note(self) -> str:
        """Say how often each language is drawn."""
        parts = [f"{name} {self.draws[name]:,} of {count:,}" for name, count in self.counts.items()]
        return f"pairs drawn an epoch, of those there are: {', '.join(parts)}"


def drawn_rows(
    rows: Dataset,
    languages: Sequence[str] | NDArray[np.str_],
    *,
    alpha: float,
    columns: Sequence[str],
    then: Callable[[DrawnBatch], DrawnBatch] = dict,
) -> Epoch:
    """Make the data set of an epoch: as many rows as there are, languages in their shares, drawn anew every epoch.

    A place of the epoch draws among the rows of its language that are a fixed stride apart, so no row comes twice
    unless its language is small, and all come in turn. A place draws by Python's random numbers, which
    `selfsent.training.random_state` seeds: a resumed run draws the same.

    Args:
        rows: The rows, in memory or mapped from a file.
        languages: The language of each row.
        alpha: See `shares`; 1 takes every row once.
        columns: The columns a draw gives.
        then: Applied to what was drawn.
    """
    names, numbers = np.unique(np.asarray(languages), return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    sizes = np.bincount(numbers)
    counts = {str(name): int(size) for name, size in zip(names, sizes, strict=True)}
    draws = quotas(counts, len(rows), alpha=alpha, max_repeats=MAX_REPEATS)
    begins = np.cumsum([0, *sizes[:-1]])
    parts = [_places(int(begin), counts[name], draws[name]) for begin, name in zip(begins, counts, strict=True)]
    dataset = Dataset.from_dict(
        {name: np.concatenate([part[name] for part in parts]) for name in ("first", "stride", "choices")}
    )
    dataset.set_transform(_Draws(rows, order, tuple(columns), then))
    return Epoch(dataset, counts, draws)


def _places(begin: int, num_rows: int, num_draws: int) -> dict[str, NDArray[np.int64]]:
    """Where each draw of a language begins, how far apart its choices are, and how many they are."""
    stride = min(num_draws, num_rows)
    offset = np.arange(num_draws) % num_rows
    choices = -(-(num_rows - offset) // stride) if num_draws <= num_rows else np.ones(num_draws, dtype=np.int64)
    return {"first": begin + offset, "stride": np.full(num_draws, stride), "choices": choices}


class _Draws:
    """Draws one row a place: a transform for ``Dataset.set_transform``."""

    def __init__(
        self,
        rows: Dataset,
        order: NDArray[np.int64],
        columns: tuple[str, ...],
        then: Callable[[DrawnBatch], DrawnBatch],
    ) -> None:
        self._rows, self._order, self._columns, self._then = rows, order, columns, then

    def __call__(self, batch: Mapping[str, list[int]]) -> DrawnBatch:
        chosen = [
            int(self._order[first + stride * random.randrange(choices)])  # noqa: S311 no secret is drawn
            for first, stride, choices in zip(batch["first"], batch["stride"], batch["choices"], strict=True)
        ]
        drawn = cast("DrawnBatch", self._rows[chosen])
        return self._then({column: list(drawn[column]) for column in self._columns})


class SampledTexts:
    """Texts of several languages in their shares, for a tokenizer: large languages are thinned, small ones repeated.

    Iterating reads the texts anew and gives the same every time: whether one is taken depends on its hash. About as
    many come out as went in, fewer where a small language is at its limit of ten times.

    Args:
        texts: Makes one pass over languages and texts.
        alpha: See `shares`.
    """

    def __init__(self, texts: Callable[[], Iterator[tuple[str, str]]], *, alpha: float) -> None:
        self._texts = texts
        counts = Counter(language for language, _ in texts())
        draws = quotas(counts, counts.total(), alpha=alpha, max_repeats=MAX_REPEATS)
        self.times = {language: draws[language] / count for language, count in counts.items()}

    def __iter__(self) -> Iterator[str]:
        for language, text in self._texts():
            times, rest = divmod(self.times[language], 1)
            yield from [text] * (int(times) + (hash_of_text(text) < rest * 2**64))
