"""Which way each headline metric points: whether a higher value means a better model."""

from collections.abc import Iterable

HIGHER_IS_BETTER = frozenset({"spearman", "accuracy", "ndcg@10", "map", "f1"})
LOWER_IS_BETTER = frozenset({"mse", "same_language_first", "mixture_loss", "alignment", "uniformity", "anisotropy"})
NEITHER_IS_BETTER = frozenset({"frequency_bias", "length_bias", "effective_rank"})
"""Metrics that only describe a model: a bias is best at zero, and no rank is best."""


def is_gain(metric: str, difference: float) -> bool | None:
    """Tell whether a difference from another model is for the better.

    Args:
        metric: The headline metric of the task.
        difference: The model's value less the other's.

    Returns:
        ``None`` where neither direction is better, or the metric is not known.
    """
    if metric in HIGHER_IS_BETTER:
        return difference > 0
    return difference < 0 if metric in LOWER_IS_BETTER else None


def direction_note(metrics: Iterable[str]) -> str:
    """Name the metrics whose better values are not the higher ones, as a sentence; empty where there are none."""
    present = dict.fromkeys(metrics)
    groups = {
        "lower is better": [metric for metric in present if metric in LOWER_IS_BETTER],
        "neither direction is better": [metric for metric in present if metric in NEITHER_IS_BETTER],
    }
    parts = [f"{', '.join(names)}: {what}" for what, names in groups.items() if names]
    return f"{'; '.join(parts)}." if parts else ""
