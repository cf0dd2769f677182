import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from tests.training.tiny_run import HeadQueueLoss, make_model, make_plan, make_rows

from selfsent.errors import UserError
from selfsent.evaluation.metrics_log import read_metrics
from selfsent.training.collapse_alarm import AlarmSettings, alarms, draw_probe, measure
from selfsent.training.engine import train

HEALTHY = {"uniformity": -3.0, "effective_rank": 40.0, "tree_left_share": 0.4, "tree_right_share": 0.3}


class CollapsingLoss(HeadQueueLoss):
    """Pulls every embedding to one point."""

    def forward(self, sentence_features: Any, labels: Any) -> torch.Tensor:
        target = torch.ones(8)
        embeddings = [self.model(features)["sentence_embedding"] for features in sentence_features]
        return sum((vectors - target).square().sum(dim=1).mean() for vectors in embeddings)


def test_a_healthy_model_raises_no_alarm() -> None:
    assert alarms(HEALTHY, HEALTHY) == {}


@pytest.mark.parametrize(
    ("changed", "kind"),
    [({"uniformity": -0.01}, "spread"), ({"effective_rank": 3.0}, "rank"), ({"tree_left_share": 0.99}, "trees")],
)
def test_each_kind_of_collapse_raises_its_alarm(changed: dict[str, float], kind: str) -> None:
    assert alarms(HEALTHY | changed, HEALTHY).keys() == {kind}


def test_a_narrow_cone_that_widens_and_trees_given_as_right_branching_are_no_alarm() -> None:
    start = HEALTHY | {"uniformity": -0.02, "tree_right_share": 1.0}
    assert alarms(start | {"uniformity": -0.1}, start) == {}


def test_measuring_moves_no_random_numbers_and_leaves_the_mode() -> None:
    model = make_model(dropout=0.5).train()
    torch.manual_seed(5)
    measure(model, draw_probe(Dataset.from_dict(make_rows()), num_texts=8, seed=0))
    found = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(found, torch.rand(1))
    assert model.training


def test_the_probe_is_distinct_texts_and_their_positives_without_labels() -> None:
    rows = {"label": ["a", "b", "c"], "anchor": ["x", "x", "y"], "positive": ["x", "z", "w"]}
    probe = draw_probe(Dataset.from_dict(rows), num_texts=10, seed=0)
    assert sorted(probe.texts) == ["x", "y"]
    assert sorted(probe.pairs) == [("x", "z"), ("y", "w")]


def test_a_model_of_trees_has_its_trees_measured() -> None:
    model = make_model()
    model[0].tree_statistics = lambda texts: {"left_share": float(len(texts)), "right_share": 0.0}
    probe = draw_probe(Dataset.from_dict(make_rows()), num_texts=8, seed=0)
    assert measure(model, probe)["tree_left_share"] == len(probe.texts)


def test_alignment_is_the_mean_squared_distance_of_normalised_pairs() -> None:
    model = make_model()
    probe = draw_probe(Dataset.from_dict(make_rows()), num_texts=8, seed=0)
    sides = [model.encode(list(side), normalize_embeddings=True) for side in zip(*probe.pairs, strict=True)]
    expected = np.mean([np.sum((a - b) ** 2) for a, b in zip(*sides, strict=True)])
    assert measure(model, probe)["alignment"] == pytest.approx(expected, rel=1e-5)


def collapsing_plan(folder: Path, **changes: Any) -> Any:
    plan = make_plan(folder, {"arguments": {"learning_rate": 0.5, "num_train_epochs": 20} | changes})
    plan.built = replace(plan.built, loss=CollapsingLoss(plan.built.model))
    return plan


def test_a_collapsing_run_warns_once_a_kind_and_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        train(collapsing_plan(tmp_path))
    texts = [record.getMessage() for record in caplog.records if "collapsing" in record.getMessage()]
    assert any("nearly all sentences get the same embedding" in text for text in texts)
    assert len(texts) == len({text.split(":")[1][:20] for text in texts})
    assert (tmp_path / "modules.json").is_file()


def test_a_collapsing_run_stops_where_it_is_told_to(tmp_path: Path) -> None:
    plan = collapsing_plan(tmp_path)
    plan.alarm = AlarmSettings(every_steps=5, stop=True)
    with pytest.raises(UserError, match=r"training is collapsing at step \d+: .*; stopped"):
        train(plan)
    assert not (tmp_path / "modules.json").exists()


def test_measures_stand_in_the_metrics_at_the_start_and_every_so_many_steps(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, {})
    plan.alarm = AlarmSettings(every_steps=10)
    train(plan)
    rows: Sequence[dict[str, Any]] = read_metrics(tmp_path / "metrics.jsonl")
    assert [row["step"] for row in rows if "uniformity" in row] == [0, 10, 20, 24]
