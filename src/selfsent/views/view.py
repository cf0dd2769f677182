"""What a view is, the plainest one, and how views draw."""

import random
from collections.abc import Callable
from dataclasses import dataclass

View = Callable[[list[str]], list[str]]
"""Maps texts to as many texts in the same order; draws from Python's and torch's global random numbers only, which
training seeds by seed, epoch and rows."""


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """Gives each text back unchanged, so that the model's dropout is the only difference between two views.

    Source: SimCSE (Gao et al. 2021), Table 1, "None (unsup. SimCSE)".
    """

    def __call__(self, texts: list[str]) -> list[str]:
        """Give the texts back."""
        return list(texts)


def draw_position(num_positions: int) -> int:
    """Draw one of ``0 ... num_positions - 1``, each as likely as any other.

    Differs: ``random.randrange`` takes three times as long, because it avoids a bias of ``num_positions / 2^53``.
    """
    return int(random.random() * num_positions)  # noqa: S311 texts are varied, nothing is secret


def nearest_share(percent: int, count: int) -> int:
    """Round ``percent`` of ``count`` to the nearest whole number, a half upwards."""
    return (percent * count + 50) // 100
