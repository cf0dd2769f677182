"""Fair timing on a shared machine: candidates take turns within one run, and medians are compared."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What the turns of one comparison took.

    Args:
        seconds: Every turn's seconds by candidate; turn ``i`` of all candidates was run side by side.
    """

    seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        """Seconds of the median turn."""
        return statistics.median(self.seconds[name])

    def ratio(self, slow: str, fast: str) -> float:
        """How many times as long ``slow`` takes as ``fast``, by medians."""
        return self.median(slow) / self.median(fast)

    def spread(self, slow: str, fast: str) -> tuple[float, float]:
        """The smallest and the largest ratio of a single turn."""
        ratios = [a / b for a, b in zip(self.seconds[slow], self.seconds[fast], strict=True)]
        return min(ratios), max(ratios)


def take_turns(
    candidates: Mapping[str, Callable[[], Any]],
    *,
    budget_s: float,
    min_turns: int = 2,
    max_turns: int = 9,
    returns_seconds: bool = False,
) -> Timing:
    """Time candidates in turns, after one turn each that warms caches and compilers and does not count.

    Args:
        candidates: What to time, by name.
        budget_s: Begin no further turn behind ``min_turns`` once this much time is spent.
        min_turns: Turns that are taken in any case.
        max_turns: Turns after which to stop.
        returns_seconds: Whether a candidate returns the seconds that count, because not all of its turn does.
    """
    for run in candidates.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    begin = time.perf_counter()
    for turn in range(max_turns):
        if turn >= min_turns and time.perf_counter() - begin > budget_s:
            break
        for name, run in candidates.items():
            start = time.perf_counter()
            counted = run()
            seconds[name].append(counted if returns_seconds else time.perf_counter() - start)
    return Timing(seconds=seconds)
