"""The views that drop words here and there."""

from dataclasses import dataclass

from selfsent.errors import UserError
from selfsent.views.view import draw_position, nearest_share

_ALL = 100


@dataclass(frozen=True, kw_only=True)
class Delete:
    """Drops words of a text at random, every set of them equally likely.

    Words are what whitespace separates; where something is dropped, those that stay are joined by one space.

    Args:
        percent: Share of the words to drop, rounded to whole words, 1 to 99; at least one word stays.

    Raises:
        UserError: ``percent`` is out of range.

    Source: SimCSE (Gao et al. 2021), Table 1, "Word deletion k%".
    Differs: exactly k % of a text's words go; the paper does not say whether that, or each word with that probability.
    """

    percent: int

    def __post_init__(self) -> None:
        if not 0 < self.percent < _ALL:
            raise UserError(f"got delete percent {self.percent}; it is the share of words to drop, from 1 to 99")

    def __call__(self, texts: list[str]) -> list[str]:
        """Thin out each text; one too short to lose a word is given back unchanged."""
        return [self._thinned(text) for text in texts]

    def _thinned(self, text: str) -> str:
        words = text.split()
        num_dropped = min(nearest_share(self.percent, len(words)), len(words) - 1)
        if num_dropped < 1:
            return text
        for _ in range(num_dropped):
            del words[draw_position(len(words))]
        return " ".join(words)


@dataclass(frozen=True, kw_only=True)
class DeleteOne:
    """Drops exactly one word of a text, each equally likely; a text of one word is given back unchanged.

    Source: SimCSE (Gao et al. 2021), Table 1, "Delete one word"; its row without dropout is this view in a model whose
    dropout is off.
    """

    def __call__(self, texts: list[str]) -> list[str]:
        """Drop a word of each text."""
        return [_without_one(text) for text in texts]


def _without_one(text: str) -> str:
    words = text.split()
    if len(words) <= 1:
        return text
    del words[draw_position(len(words))]
    return " ".join(words)
