import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from selfsent.errors import UserError
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks import probe
from selfsent.evaluation.tasks.labelled_texts import PROBE_TASKS, read_task, sampled
from selfsent.evaluation.tasks.probe import NUM_SEEDS, STRENGTHS, ProbeResult, combine, fit_probes, score_probe

OPTIONS = SuiteOptions(num_resamples=50)


@pytest.fixture
def noisy() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((200, 12))
    return features, (features[:, 0] + generator.standard_normal(200) > 0).astype(np.int64)


def write_mrpc(folder: Path, num_train: int = 200) -> None:
    (folder / "glue/mrpc").mkdir(parents=True)
    for split, size in (("train", num_train), ("test", 20)):
        rows = [
            {"sentence1": f"s {i}", "sentence2": f"s {i}" if i % 2 else f"other {i + 1}", "label": i % 2}
            for i in range(size)
        ]
        (folder / f"glue/mrpc/{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


class Letters:
    """Embeds a text as the counts of its characters."""

    def encode(self, inputs, **kwargs):
        return np.array(
            [[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz0123456789"] for text in inputs], float
        )


def test_features_are_the_named_parts_side_by_side():
    u, v = np.array([[1.0, 2.0]]), np.array([[3.0, -1.0]])
    np.testing.assert_array_equal(combine([u, v], "|u-v|, u*v"), [[2, 3, 3, -2]])
    np.testing.assert_array_equal(combine([u, v], "u,v,|u-v|,u*v"), [[1, 2, 3, -1, 2, 3, 3, -2]])
    np.testing.assert_array_equal(combine([u], "u"), u)


@pytest.mark.parametrize(("columns", "features"), [(1, "u,v"), (2, "u-v"), (2, "")])
def test_an_unknown_feature_is_named(columns: int, features: str):
    with pytest.raises(UserError, match="no feature named"):
        combine([np.ones((1, 2))] * columns, features)


def test_every_seed_chooses_as_a_grid_search_on_its_own_held_out_tenth(noisy: tuple[np.ndarray, np.ndarray]):
    features, labels = noisy
    result = fit_probes(features, labels, features[:50], seed=3)
    for offset in range(NUM_SEEDS):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)),
            {"logisticregression__C": STRENGTHS},
            cv=StratifiedShuffleSplit(n_splits=1, test_size=0.1, random_state=3 + offset),
            refit=False,
        ).fit(features, labels)
        assert result.strengths[offset] == search.best_params_["logisticregression__C"]


def test_a_score_is_the_mean_of_the_seeds_and_its_items_average_to_it():
    predictions = np.array([[0, 1, 1, 1], [0, 1, 1, 0], [0, 0, 1, 0], [0, 1, 1, 1], [1, 1, 1, 1]])
    train, test = np.array([1, 1, 0]), np.array([0, 1, 1, 0])
    score = score_probe("MRPC", ProbeResult(predictions=predictions, strengths=(1.0,) * 5), train, test, OPTIONS)
    accuracies = [accuracy_score(test, row) for row in predictions]
    assert score.value == pytest.approx(np.mean(accuracies))
    assert score.also["sd"] == pytest.approx(np.std(accuracies, ddof=1))
    assert score.also["f1"] == pytest.approx(np.mean([f1_score(test, row) for row in predictions]))
    majority = DummyClassifier().fit(np.zeros((3, 1)), train)
    assert score.also["majority"] == pytest.approx(majority.score(np.zeros((4, 1)), test))
    assert score.items is not None
    np.testing.assert_allclose(score.items[:, 0], [0.8, 0.8, 1.0, 0.4])


def test_a_class_without_enough_rows_is_refused(noisy: tuple[np.ndarray, np.ndarray]):
    features, labels = noisy
    with pytest.raises(UserError, match=r"at least 10 training rows.*\[200\]"):
        fit_probes(features, np.zeros_like(labels), features)


def test_a_planted_difference_between_pairs_is_found(tmp_path: Path):
    write_mrpc(tmp_path)
    (score,) = probe.evaluate(Letters(), tmp_path, OPTIONS, tasks={"MRPC": PROBE_TASKS["MRPC"]})
    assert score.value == 1.0
    assert score.also["features"] == "|u-v|,u*v"
    (other,) = probe.evaluate(Letters(), tmp_path, OPTIONS, tasks={"MRPC": PROBE_TASKS["MRPC"]}, features="u,v")
    assert other.also["features"] == "u,v"


def test_training_rows_are_capped_and_drawn_with_the_seed(tmp_path: Path):
    write_mrpc(tmp_path)
    capped = SuiteOptions(num_resamples=50, max_train_rows=60)
    (score,) = probe.evaluate(Letters(), tmp_path, capped, tasks={"MRPC": PROBE_TASKS["MRPC"]})
    assert score.also["num_train"] == 60
    train, _ = read_task("MRPC", PROBE_TASKS["MRPC"], tmp_path)
    assert sampled(train, 60, 1) == sampled(train, 60, 1) != sampled(train, 60, 2)
    assert sampled(train, None, 1) is train
