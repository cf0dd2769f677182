"""Random draws of the views: from Python's global random numbers, which training seeds by seed, epoch and rows."""

import random


def draw_position(num_positions: int) -> int:
    """Draw one of ``0 ... num_positions - 1``, each as likely as any other.

    Differs: ``random.randrange`` takes three times as long, because it avoids a bias of ``num_positions / 2^53``.
    """
    return int(random.random() * num_positions)  # noqa: S311 texts are varied, nothing is secret


def nearest_share(percent: int, count: int) -> int:
    """Round ``percent`` of ``count`` to the nearest whole number, a half upwards."""
    return (percent * count + 50) // 100
