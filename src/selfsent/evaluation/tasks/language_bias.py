"""The suite ``language-bias``: does the same language beat the same meaning?

Two protocols.

* On every bitext: texts and translations are one pool. A sentence is biased if any *other sentence of its own language*
  is nearer to it than its own translation. Beside it stands the share that other sentences of the other language beat,
  which needs no bias, and the gap: the mean cosine of sentences that mean different things in one language, minus that
  in two. Of a model without bias the two shares are alike and the gap is 0.
* On multilingual STS: the mean rank correlation of the tasks in one language and in two, minus that of all their pairs
  together. A model that finds two sentences more alike for being in one language loses by the mixture.

Layout: those of ``bitext`` and ``sts-multilingual``; one of them is enough.

Source: Reimers and Gurevych 2020, Section 5, for the second; Roy et al. 2020 (LAReQA) for pools of several languages.
    The measure on bitexts is ours.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.report import MULTILINGUAL_STS
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder, Vectors, encode_distinct
from selfsent.evaluation.statistics import Mean, MixtureLoss, Spearman, bootstrap_interval
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks import sts_multilingual
from selfsent.evaluation.tasks.bitext import read_bitexts
from selfsent.evaluation.vector_space import normalise

_TASK = "language-bias"
_PIVOT = "en"


def evaluate(model: Encoder, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    """Measure the language bias of a model on all bitexts and on multilingual STS.

    Args:
        model: The model.
        data_dir: Folder with ``parallel/`` or ``sts/``.
        options: Uses ``languages`` (of STS; empty: every one there is), ``split``, ``batch_size``, ``num_resamples``,
            ``seed``.

    Returns:
        ``same_language_first`` of each bitext, and ``mixture_loss`` of STS.

    Raises:
        UserError: No folder is named or it holds neither, a file is wrong, or the embeddings are.
    """
    if data_dir is None:
        raise UserError("language-bias needs translations; name the folder that holds parallel/ with --data-dir")
    scores: list[Score] = []
    if (data_dir / "parallel").is_dir() or not (data_dir / "sts" / MULTILINGUAL_STS).is_dir():
        bitexts = read_bitexts(data_dir, options.split)
        texts = (text for bitext in bitexts for text in (*bitext.sources, *bitext.targets))
        vectors = encode_distinct(model, texts, batch_size=options.batch_size, what="translations")
        scores += [
            score_bias(vectors.of(bitext.sources), vectors.of(bitext.targets), task=bitext.name, options=options)
            for bitext in bitexts
        ]
    if (data_dir / "sts" / MULTILINGUAL_STS).is_dir():
        scores.append(_mixture_loss(model, data_dir, options))
    return scores


def score_bias(
    source_vectors: Vectors, target_vectors: Vectors, *, task: str, options: SuiteOptions | None = None
) -> Score:
    """Score how often a sentence of the same language is nearer than the translation.

    Args:
        source_vectors: One row a sentence, no sentence twice.
        target_vectors: Its translation in the same row.
        task: Name of the bitext.
        options: Uses ``num_resamples`` and ``seed``.
    """
    options = options or SuiteOptions()
    sources, targets = normalise(source_vectors), normalise(target_vectors)
    across, within = sources @ targets.T, (sources @ sources.T, targets @ targets.T)
    own = np.diag(across).copy()
    same = np.column_stack([_others_best(cosines) > own for cosines in within]).astype(np.float64)
    other = np.column_stack([_others_best(cosines) > own for cosines in (across, across.T)])
    return Score(
        task=f"{_TASK}/{task}",
        metric=METRICS["same_language_first"],
        value=float(same.mean()),
        ci95=bootstrap_interval(same, Mean(), num_resamples=options.num_resamples, seed=options.seed),
        num_items=len(same),
        also={
            "other_language_first": float(other.mean()),
            "cosine_gap": float(np.mean([_mean_of_others(cosines) for cosines in within]) - _mean_of_others(across)),
        },
        items=same,
    )


def _others_best(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    """The highest cosine of each row, except its own column; minus infinity where there is no other."""
    others = cosines.copy()
    np.fill_diagonal(others, -np.inf)
    return others.max(axis=1)


def _mean_of_others(cosines: NDArray[np.float64]) -> float:
    num_others = max(len(cosines) * (len(cosines) - 1), 1)
    return float((cosines.sum() - np.trace(cosines)) / num_others)


def _mixture_loss(model: Encoder, data_dir: Path, options: SuiteOptions) -> Score:
    """Score the tasks in one language and in two, apart and together."""
    found = options.languages or sts_multilingual.languages_in(data_dir, options.split)
    others = dict.fromkeys(language for language in found if "-" not in language and language != _PIVOT)
    if not others:
        raise UserError(
            f"language-bias mixes {_PIVOT} with other languages of sts/, and {', '.join(found)} names none; name them"
            " by their codes, such as de"
        )
    tasks = (_PIVOT, *others, *(f"{_PIVOT}-{language}" for language in others))
    scored = sts_multilingual.evaluate(model, data_dir, replace(options, languages=tasks, num_resamples=1))
    items = np.vstack(
        [_numbered(score.items, number) for number, score in enumerate(scored) if score.items is not None]
    )
    statistic = MixtureLoss()
    return Score(
        task=f"{_TASK}/{MULTILINGUAL_STS}",
        metric=METRICS["mixture_loss"],
        value=statistic(items),
        ci95=bootstrap_interval(items, statistic, num_resamples=options.num_resamples, seed=options.seed),
        num_items=len(items),
        also={"spearman_apart": float(np.mean([s.value for s in scored])), "spearman_together": Spearman()(items)},
        items=items,
    )


def _numbered(items: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    return np.column_stack([items[:, :2], np.full(len(items), number)])
