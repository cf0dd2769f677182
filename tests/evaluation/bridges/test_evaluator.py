"""Evaluation during a training."""

import logging

import numpy as np
import pytest
from tests.evaluation.evaluation_data import Constant, sts_folder

from selfsent.errors import UserError
from selfsent.evaluation import (
    SuiteOptions,
    evaluate,
)
from selfsent.evaluation.bridges.evaluator import PairsEvaluator, SuiteEvaluator


def test_the_training_evaluator_gives_the_dev_correlation_as_its_primary_metric(tmp_path, tiny_static_model):
    evaluator = PairsEvaluator.of_sts_dev(sts_folder(tmp_path))
    metrics = evaluator(tiny_static_model, epoch=0, steps=1)
    report = evaluate(tiny_static_model, "sts", tmp_path, options=SuiteOptions(split="dev"))
    assert evaluator.primary_metric == "sts_dev_spearman"
    assert metrics["sts_dev_spearman"] == pytest.approx(report.score("STSBenchmark").value)
    assert metrics["sts_dev_pearson"] == pytest.approx(report.score("STSBenchmark").also["pearson"])


def test_a_collapsed_model_scores_zero_with_a_warning_during_training_and_nan_stops_it(
    tmp_path, tiny_static_model, caplog, monkeypatch
):
    evaluator = PairsEvaluator.of_sts_dev(sts_folder(tmp_path))
    monkeypatch.setattr(tiny_static_model, "encode", Constant().encode)
    with caplog.at_level(logging.WARNING):
        assert evaluator(tiny_static_model, steps=7)["sts_dev_spearman"] == 0.0
    assert "sts_dev at step 7" in caplog.text
    monkeypatch.setattr(tiny_static_model, "encode", Constant(np.nan).encode)
    with pytest.raises(UserError, match="NaN"):
        evaluator(tiny_static_model)


def test_whole_suites_can_follow_a_training(tmp_path, tiny_static_model):
    evaluator = SuiteEvaluator(data_dir=sts_folder(tmp_path))
    metrics = evaluator(tiny_static_model)
    assert metrics.keys() == {"STSBenchmark_spearman", "SICK-R_spearman"}
    assert evaluator.primary_metric == "STSBenchmark_spearman"
