"""Find the words of a query in a passage, and the part of a long passage that shows them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from selfsent.words import Analyser, matched

EXCERPT_CHARACTERS = 320
_SPACE = re.compile(r"\s+")
_REACH = 30  # characters that an excerpt may grow or shrink by to end between two words


@dataclass(frozen=True, kw_only=True)
class Match:
    """A stretch of a passage that matches the query.

    Args:
        start: Its first character.
        end: The character behind its last.
        kind: ``word`` for words of the query; ``phrase`` for the phrase whose embedding is nearest to the query's.
    """

    start: int
    end: int
    kind: Literal["word", "phrase"]


def matched_words(query: str, text: str, analyser: Analyser) -> list[Match]:
    """Find the words of a query in a passage, in order."""
    return [Match(start=start, end=end, kind="word") for start, end in matched(query, text, analyser)]


def excerpt(text: str, matches: Sequence[Match], *, max_characters: int = EXCERPT_CHARACTERS) -> tuple[int, int]:
    """Choose the part of a passage to show: the one that holds most of what matches.

    Args:
        text: The passage.
        matches: What matches.
        max_characters: A passage up to this long is shown whole.

    Returns:
        Start and end of the part; it begins and ends between two words where there are any.
    """
    if len(text) <= max_characters:
        return 0, len(text)
    context = max_characters // 5
    starts = sorted({0, *(min(max(0, match.start - context), len(text) - max_characters) for match in matches)})
    weights = [_weight(matches, start, start + max_characters) for start in starts]
    start = starts[weights.index(max(weights))]
    return _next_word(text, start), _last_word(text, start + max_characters)


def _weight(matches: Sequence[Match], start: int, end: int) -> int:
    """Number of different matches that lie within, words counting most."""
    inside = [match for match in matches if start <= match.start and match.end <= end]
    return sum(2 if match.kind == "word" else 1 for match in inside)


def _next_word(text: str, start: int) -> int:
    space = _SPACE.search(text, start, start + _REACH) if start else None
    return space.end() if space else start


def _last_word(text: str, end: int) -> int:
    if end >= len(text):
        return len(text)
    spaces = list(_SPACE.finditer(text, max(0, end - _REACH), end + 1))
    return spaces[-1].start() if spaces else end
