"""The view that keeps one run of words and drops what stands before and behind it."""

from dataclasses import dataclass

from selfsent.errors import UserError
from selfsent.views.view import draw_position, nearest_share

_ALL = 100


@dataclass(frozen=True, kw_only=True)
class Crop:
    """Keeps a contiguous run of the words of a text, every position of it equally likely.

    Words are what whitespace separates; where something is dropped, those that stay are joined by one space.

    Args:
        percent: Share of the words to drop, rounded to whole words, 1 to 99; at least one word stays.

    Raises:
        UserError: ``percent`` is out of range.

    Source: SimCSE (Gao et al. 2021), Table 1, "Crop k%": keeps 100 - k % of the length.
    Differs: the paper does not say in what unit it measures length, nor how it rounds.
    """

    percent: int

    def __post_init__(self) -> None:
        if not 0 < self.percent < _ALL:
            raise UserError(f"got crop percent {self.percent}; it is the share of words to drop, from 1 to 99")

    def __call__(self, texts: list[str]) -> list[str]:
        """Crop each text; one too short to lose a word is given back unchanged."""
        return [self._cropped(text) for text in texts]

    def _cropped(self, text: str) -> str:
        words = text.split()
        num_dropped = min(nearest_share(self.percent, len(words)), len(words) - 1)
        if num_dropped < 1:
            return text
        start = draw_position(num_dropped + 1)
        return " ".join(words[start : start + len(words) - num_dropped])
