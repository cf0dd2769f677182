"""Translations on disk: read once, filtered, their distinct sources numbered, and cut to a budget by language."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from selfsent.data.arrow_file import materialise
from selfsent.data.heldout import hash_of_text
from selfsent.data.parallel.language_sampling import quotas
from selfsent.data.parallel.parallel_filters import (
    MAX_LENGTH_RATIO,
    english_side,
    is_untranslated,
    lengths_of,
    proportion_mask,
)
from selfsent.data.parallel.parallel_sources import Pair
from selfsent.errors import UserError
from selfsent.ranks import made_once

_COLUMNS = ("source", "target", "source_language", "language", "number")
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, kw_only=True)
class TranslationPool:
    """Pairs of translations that passed the filters.

    Args:
        rows: ``source``, ``target``, ``source_language``, ``language`` (the target's) and ``number`` (of the distinct
            source), mapped from a file.
        hashes: The hash of each distinct source, by its number.
        num_dropped: Pairs left out, by reason.
        budget: How many distinct sources were allowed; ``None`` for all.
    """

    rows: Dataset
    hashes: NDArray[np.uint64]
    num_dropped: Mapping[str, int] = field(default_factory=dict[str, int])
    budget: int | None = None

    @cached_property
    def languages(self) -> NDArray[np.str_]:
        """The language of each target."""
        return _column(self.rows, "language").astype(np.str_)

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """The number of each source."""
        return _column(self.rows, "number").astype(np.int64)

    @cached_property
    def _first_rows(self) -> NDArray[np.int64]:
        """The rows in which a source comes for the first time."""
        return np.sort(np.unique(self.numbers, return_index=True)[1])

    def places(self) -> NDArray[np.int64]:
        """Give each source, by its number, its place among `sources`; -1 for one that is not in the pool any more."""
        places = np.full(len(self.hashes), -1)
        places[self.numbers[self._first_rows]] = np.arange(len(self._first_rows))
        return places

    def sources(self) -> Iterator[str]:
        """Yield the distinct sources: what a teacher encodes."""
        for batch in _batches(self.rows.select(self._first_rows), "source"):
            yield from batch["source"]

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the language and the text of both sides; a source that runs on over several rows comes once."""
        before = None
        for batch in _batches(self.rows, *_COLUMNS[:4]):
            for source, target, source_language, language in zip(*batch.values(), strict=True):
                if source != before:
                    yield source_language, source
                before = source
                yield language, target

    def within(self, budget: int, *, alpha: float) -> "TranslationPool":
        """Keep the pairs of so many distinct sources at most, drawn by language.

        Those of the highest hashes are drawn, so that a source which several languages translate is drawn by all.

        Args:
            budget: Distinct sources, above 0.
            alpha: See `selfsent.data.parallel.language_sampling.shares`; here of the distinct sources of each language.

        Raises:
            UserError: The budget is not above 0, or ``alpha`` is out of range.
        """
        if budget < 1:
            raise UserError(f"max_teacher_texts={budget} must be above 0, or none for all")
        by_language = {str(name): np.unique(self.numbers[self.languages == name]) for name in np.unique(self.languages)}
        ranked = {name: numbers[np.argsort(-self.hashes[numbers])] for name, numbers in by_language.items()}
        counts = {name: len(numbers) for name, numbers in ranked.items()}

        def drawn(num_draws: int) -> NDArray[np.int64]:
            draws = quotas(counts, num_draws, alpha=alpha)
            return np.unique(np.concatenate([numbers[: draws[name]] for name, numbers in ranked.items()]))

        limit = max(counts.values()) * len(counts)
        num_draws = bisect_right(range(limit + 1), budget, lo=1, key=lambda number: len(drawn(number))) - 1
        kept = np.flatnonzero(np.isin(self.numbers, drawn(max(num_draws, 1))))
        return replace(self, rows=self.rows.select(kept), budget=budget)

    def note(self) -> str:
        """Say how many pairs are kept and why others are not."""
        reasons = {"length": "with sides out of proportion", "identical": "with identical sides"}
        reasons |= {"repeated": "repeated", "heldout": "held out for the suite bitext"}
        dropped = ", ".join(f"{self.num_dropped.get(name, 0):,} {reason}" for name, reason in reasons.items())
        drawn = "" if self.budget is None else f" (of {self.budget:,} sources at most, drawn by language)"
        return (
            f"{len(self.rows):,} pairs of translations of {len(self._first_rows):,} sources{drawn}; left out: {dropped}"
        )


def write_pool(
    pairs: Iterable[Pair],
    path: Path,
    *,
    is_heldout: Callable[[str], bool] | None = None,
    max_length_ratio: float = MAX_LENGTH_RATIO,
) -> TranslationPool:
    """Read translations once, filter out pairs that are not translations, and write the others to an Arrow file.

    Left out and counted are pairs that are held out, have identical sides, came before, or have sides out of
    proportion. Held in memory are some 100 bytes a distinct source and 60 a distinct pair.

    Args:
        pairs: The translations.
        path: The file to write.
        is_heldout: Tells of the English text of a pair (of the source, where no side is English) whether the pair is
            held out for evaluation; ``None`` keeps all.
        max_length_ratio: See `selfsent.data.parallel.parallel_filters.proportion_mask`.

    Raises:
        UserError: No pair is left, or a number is out of range.
    """
    filtered = _Filtered(pairs, is_heldout)
    rows = materialise(filtered, path, columns=_COLUMNS)
    hashes, dropped = made_once(lambda: (filtered.hashes(), filtered.num_dropped))  # only the first rank has read
    groups = [np.unique(_column(rows, name), return_inverse=True)[1] for name in ("source_language", "language")]
    kept = proportion_mask(
        lengths_of(rows.data.column("source")),
        lengths_of(rows.data.column("target")),
        groups[0] * len(rows) + groups[1],
        max_ratio=max_length_ratio,
    )
    num_dropped = {**dropped, "length": int((~kept).sum())}
    pool = TranslationPool(rows=rows.select(np.flatnonzero(kept)), hashes=hashes, num_dropped=num_dropped)
    if not len(pool.rows):
        raise UserError(f"no pair of translations is left to train on: {pool.note()}")
    return pool


class _Filtered:
    """One pass over pairs: those that are kept as rows, the others by reason."""

    def __init__(self, pairs: Iterable[Pair], is_heldout: Callable[[str], bool] | None) -> None:
        self._pairs, self._is_heldout = pairs, is_heldout
        self._numbers: dict[str, int] = {}
        self._seen: set[int] = set()
        self.num_dropped = Counter[str]()

    def __iter__(self) -> Iterator[dict[str, str | int]]:
        num_kept = 0
        for pair in self._pairs:
            reason = self._reason(pair)
            if reason is not None:
                self.num_dropped[reason] += 1
                continue
            num_kept += 1
            number = self._numbers.setdefault(pair.source, len(self._numbers))
            values = (pair.source, pair.target, pair.source_language, pair.target_language, number)
            yield dict(zip(_COLUMNS, values, strict=True))
        if not num_kept:
            found = ", ".join(f"{count:,} {reason}" for reason, count in self.num_dropped.items())
            raise UserError(f"no pair of translations is left to train on; left out: {found or 'none: it is empty'}")

    def _reason(self, pair: Pair) -> str | None:
        key = hash((pair.source, pair.target, pair.source_language, pair.target_language))
        if key in self._seen:
            return "repeated"
        self._seen.add(key)
        if is_untranslated(pair):
            return "identical"
        return "heldout" if self._is_heldout is not None and self._is_heldout(english_side(pair)) else None

    def hashes(self) -> NDArray[np.uint64]:
        """The hashes of the sources by number; the sources themselves are forgotten."""
        hashes = np.fromiter(map(hash_of_text, self._numbers), np.uint64, len(self._numbers))
        self._numbers, self._seen = {}, set()
        return hashes


def _column(rows: Dataset, name: str) -> NDArray[Any]:
    return np.asarray(cast("list[Any]", rows.select_columns([name])[:][name]))


def _batches(rows: Dataset, *columns: str) -> Iterator[dict[str, list[str]]]:
    return cast("Iterator[dict[str, list[str]]]", rows.select_columns(list(columns)).iter(batch_size=_ROWS_AT_ONCE))
