"""The suite ``geometry``: what a rank correlation with gold scores cannot see of a model's vectors.

Six figures on the pairs of STS-B. *Alignment* and *uniformity* (lower is better) say whether paraphrases meet and the
rest spreads; *anisotropy* and *effective rank* whether the space is used, or collapsed to a cone or a few directions;
the two *biases* how far similarity follows frequent words and equal length where the meaning, as the gold score has
it, does not.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder, SentenceVectors, Vectors, cosines, encode_distinct
from selfsent.evaluation.statistics import Mean, PartialRankCorrelation, Statistic, bootstrap_interval
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks.similarity_bias import frequency_bias_columns, length_bias_columns
from selfsent.evaluation.tasks.sts import ScoredPairs, check_varied, pairs_from_hub, read_pairs
from selfsent.evaluation.vector_space import (
    anisotropy,
    effective_rank,
    jackknife_interval,
    squared_distances,
    uniformity,
)

_TASK = "geometry"
_POSITIVE_ABOVE = 4.0
_CLOUD_MEASURES: dict[str, Callable[[Vectors], float]] = {
    "uniformity": uniformity,
    "anisotropy": anisotropy,
    "effective_rank": effective_rank,
}


def evaluate(model: Encoder, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    """Measure the geometry of a model's embeddings of STS-B.

    Args:
        model: The model.
        data_dir: Folder with ``sts/STSBenchmark/``; ``None`` for the hub.
        options: Uses ``split``, ``batch_size``, ``num_resamples``, ``seed``.

    Returns:
        ``alignment`` of the pairs scored above 4, ``uniformity``, ``anisotropy`` and ``effective_rank`` of the distinct
        sentences, ``frequency_bias`` and ``length_bias`` of all pairs.

    Raises:
        UserError: A file is missing or wrong, or the embeddings are; no pair is scored above 4.
    """
    task = "STSBenchmark"
    pairs = read_pairs(data_dir, task, options.split) if data_dir else pairs_from_hub(task, options.split)
    return evaluate_pairs(model, pairs, options, positive_above=_POSITIVE_ABOVE)


def evaluate_pairs(model: Encoder, pairs: ScoredPairs, options: SuiteOptions, *, positive_above: float) -> list[Score]:
    """Measure the geometry of a model's embeddings of scored pairs.

    Args:
        model: The model.
        pairs: The pairs.
        options: As for ``evaluate``.
        positive_above: Pairs of a higher score are the ones whose alignment is measured.

    Raises:
        UserError: The embeddings are wrong, or no pair is scored above that.
    """
    texts = (*pairs.sentences1, *pairs.sentences2)
    vectors = encode_distinct(model, texts, batch_size=options.batch_size, what="sentences")
    aligned = _alignment(pairs, vectors, options, positive_above)
    return [aligned, *_cloud(vectors, options), *_biases(pairs, vectors, options)]


def _alignment(pairs: ScoredPairs, vectors: SentenceVectors, options: SuiteOptions, above: float) -> Score:
    positive = np.flatnonzero(pairs.gold > above).tolist()
    if not positive:
        raise UserError(f"{pairs.name}: no pair is scored above {above:g}; alignment needs such pairs")
    u, v = (vectors.of([side[row] for row in positive]) for side in (pairs.sentences1, pairs.sentences2))
    return _resampled("alignment", squared_distances(u, v)[:, None], Mean(), options)


def _cloud(vectors: SentenceVectors, options: SuiteOptions) -> list[Score]:
    """Measure the distinct sentences as one cloud, with jackknife intervals."""
    rows = vectors.of(sorted(vectors))
    return [
        Score(
            task=f"{_TASK}/{name}",
            metric=METRICS[name],
            value=measure(rows),
            ci95=jackknife_interval(rows, measure, seed=options.seed),
            num_items=len(rows),
        )
        for name, measure in _CLOUD_MEASURES.items()
    ]


def _biases(pairs: ScoredPairs, vectors: SentenceVectors, options: SuiteOptions) -> list[Score]:
    similarities = cosines(vectors.of(pairs.sentences1), vectors.of(pairs.sentences2))
    sentences = list(zip(pairs.sentences1, pairs.sentences2, strict=True))
    check_varied(similarities, pairs.gold, name=pairs.name, pairs=sentences)
    columns = {
        "frequency_bias": frequency_bias_columns(similarities, pairs.gold, sentences),
        "length_bias": length_bias_columns(similarities, pairs.gold, sentences),
    }
    return [_resampled(name, items, PartialRankCorrelation(), options) for name, items in columns.items()]


def _resampled(name: str, items: NDArray[np.float64], statistic: Statistic, options: SuiteOptions) -> Score:
    return Score(
        task=f"{_TASK}/{name}",
        metric=METRICS[name],
        value=statistic(items),
        ci95=bootstrap_interval(items, statistic, num_resamples=options.num_resamples, seed=options.seed),
        num_items=len(items),
        items=items,
    )
