"""The suite ``probe``: frozen embeddings and a logistic regression, with nothing selected on the data that is reported.

For each of five seeds a tenth of *train* is set aside, the strength of the regularisation is chosen by accuracy on it,
and the classifier so chosen reads the test set once. The value is the mean over seeds, its interval a bootstrap over
test items.

Source: tasks of StrAE and Banyan (SST-2, RTE, WNLI, MRPC) and of SCT (SICK-E, SNLI); features of SentEval.
Differs: Banyan's release reports the best test score over the epochs of a two-layer classifier; here the test set
    chooses nothing. SentEval fits by Adam and stops early; here the regression is solved.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from selfsent.errors import UserError
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder, Vectors, encode_distinct
from selfsent.evaluation.statistics import STATISTICS, bootstrap_interval
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks.labelled_texts import (
    PROBE_TASKS,
    LabelledTexts,
    ProbeTask,
    label_ids,
    read_task,
    sampled,
)
from selfsent.printed_text import progress_bar

NUM_SEEDS = 5
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse regularisation strengths tried (scikit-learn's ``C``), on standardised features."""

_HELD_OUT_SHARE = 0.1
_FEWEST_ROWS_A_CLASS = 10


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """What the classifiers of all seeds did on the test set.

    Args:
        predictions: Predicted label of every test item, one row a seed.
        strengths: The strength each seed chose.
    """

    predictions: NDArray[np.int64]
    strengths: tuple[float, ...]


def combine(columns: Sequence[Vectors], features: str) -> Vectors:
    """Combine the vectors of one or two sentences into the features of a classifier.

    Args:
        columns: One array a text column: ``u``, or ``u`` and ``v``.
        features: Comma-separated parts out of ``u``, ``v``, ``|u-v|`` and ``u*v``.

    Returns:
        The parts side by side, in the order named.

    Raises:
        UserError: A part is unknown, or needs a second sentence where there is none.
    """
    u, v = columns[0], columns[-1]
    parts = {"u": u} if len(columns) == 1 else {"u": u, "v": v, "|u-v|": np.abs(u - v), "u*v": u * v}
    names = [name.strip() for name in features.split(",")]
    unknown = [name for name in names if name not in parts]
    if unknown:
        raise UserError(f"no feature named {', '.join(unknown)!r} here; the features are {', '.join(parts)}")
    return np.concatenate([parts[name] for name in names], axis=1)


def fit_probes(
    train_features: Vectors,
    train_labels: NDArray[np.int64],
    test_features: Vectors,
    *,
    seed: int = 0,
    task: str = "probe",
) -> ProbeResult:
    """Fit one classifier a seed, its regularisation chosen on a held-out part of *train*, and predict the test set.

    Args:
        train_features: One row a training item.
        train_labels: Labels from 0.
        test_features: One row a test item.
        seed: The first of ``NUM_SEEDS`` consecutive seeds; each draws its own held-out part.
        task: Name of the task, for the progress bar.

    Returns:
        Predictions and chosen strengths.

    Raises:
        UserError: A class has too few training rows to hold some out.
    """
    counts = np.bincount(train_labels)
    if len(counts) < 2 or counts.min() < _FEWEST_ROWS_A_CLASS:  # noqa: PLR2004 a classifier needs two classes
        raise UserError(
            f"a probe needs two classes and at least {_FEWEST_ROWS_A_CLASS} training rows of each; "
            f"the rows a class are {counts.tolist()}"
        )
    num_fits = NUM_SEEDS * len(STRENGTHS)
    with progress_bar(total=num_fits, what=task, unit="fit") as progress:
        chosen = [_fit_one(train_features, train_labels, seed + offset, progress.update) for offset in range(NUM_SEEDS)]
    predictions = [classifier.predict(scaler.transform(test_features)) for scaler, classifier, _ in chosen]
    return ProbeResult(predictions=np.stack(predictions), strengths=tuple(strength for *_, strength in chosen))


def _fit_one(
    features: Vectors, labels: NDArray[np.int64], seed: int, fitted_one: Callable[[], object]
) -> tuple[StandardScaler, LogisticRegression, float]:
    """Choose the strength on a held-out tenth; ties go to the stronger regularisation."""
    fitted, held_out, fitted_labels, held_out_labels = train_test_split(
        features, labels, test_size=_HELD_OUT_SHARE, stratify=labels, random_state=seed
    )
    scaler = StandardScaler().fit(fitted)
    fitted, held_out = scaler.transform(fitted), scaler.transform(held_out)
    best: tuple[float, LogisticRegression, float] | None = None
    for strength in STRENGTHS:
        classifier = LogisticRegression(C=strength, max_iter=200)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ConvergenceWarning
            )  # a separable task has no finite optimum at weak strengths
            classifier.fit(fitted, fitted_labels)
        fitted_one()
        accuracy = float(classifier.score(held_out, held_out_labels))
        if best is None or accuracy > best[0]:
            best = accuracy, classifier, strength
    assert best is not None, "there is at least one strength"  # noqa: S101 our own invariant
    return scaler, best[1], best[2]


def score_probe(
    task: str,
    result: ProbeResult,
    train_labels: NDArray[np.int64],
    test_labels: NDArray[np.int64],
    options: SuiteOptions,
) -> Score:
    """Turn the predictions of all seeds into a score.

    Args:
        task: Name of the task.
        result: Predictions and strengths of all seeds.
        train_labels: Labels of the training items; the majority baseline predicts the commonest.
        test_labels: Labels of the test items.
        options: Resampling settings.

    Returns:
        Mean accuracy over seeds; also its standard deviation, the accuracy of the majority class, and F1 of label 1
        (mean over seeds) where there are two classes. An item is the share of seeds that got it right.
    """
    correct = result.predictions == test_labels
    items = correct.mean(axis=0)[:, None]
    mean = STATISTICS["mean"]
    majority = int(np.bincount(train_labels).argmax())
    also: dict[str, float | int | str] = {
        "sd": float(correct.mean(axis=1).std(ddof=1)),
        "majority": float((test_labels == majority).mean()),
        "num_train": len(train_labels),
        "strengths": " ".join(f"{strength:g}" for strength in result.strengths),
    }
    if train_labels.max() == 1:
        also["f1"] = float(np.mean([f1_score(test_labels, predicted) for predicted in result.predictions]))
    return Score(
        task=task,
        metric=METRICS["accuracy"],
        value=float(items.mean()),
        ci95=bootstrap_interval(items, mean, num_resamples=options.num_resamples, seed=options.seed),
        num_items=len(items),
        also=also,
        items=items,
    )


def evaluate(
    model: Encoder,
    data_dir: Path | None,
    options: SuiteOptions,
    *,
    tasks: Mapping[str, ProbeTask] = PROBE_TASKS,
    features: str | None = None,
) -> list[Score]:
    """Probe a model on every task.

    Args:
        model: The model; it is not trained.
        data_dir: Folder that holds ``glue/``, ``sts/SICK-R/`` and ``nli/``; ``None`` for the hub.
        options: ``max_train_rows`` caps the training rows of each task.
        tasks: The tasks by name.
        features: Features of the tasks on pairs (see ``combine``), in place of each paper's own.

    Returns:
        One score a task.

    Raises:
        UserError: A file is missing or wrong, or an embedding is not finite.
    """
    splits: dict[str, tuple[LabelledTexts, LabelledTexts]] = {}
    for name, task in tasks.items():
        train, test = read_task(name, task, data_dir)
        splits[name] = sampled(train, options.max_train_rows, options.seed), test
    texts = (text for both in splits.values() for split in both for text in split.texts())
    vectors = encode_distinct(model, texts, batch_size=options.batch_size, what="texts of probe")
    scores: list[Score] = []
    for name, (train, test) in splits.items():
        chosen = features if features and len(train.columns) > 1 else tasks[name].features
        train_labels, test_labels = label_ids(train, test, name)
        both = (combine([vectors.of(column) for column in split.columns], chosen) for split in (train, test))
        train_features, test_features = both
        result = fit_probes(train_features, train_labels, test_features, seed=options.seed, task=name)
        score = score_probe(name, result, train_labels, test_labels, options)
        scores.append(replace(score, also={**score.also, "features": chosen}))
    return scores
