"""How good a model is: one protocol, an interval on every figure, paired comparisons."""

from selfsent.evaluation.differences import (
    Difference,
    paired_differences,
    render_baselines,
    render_differences,
    render_side_by_side,
)
from selfsent.evaluation.report import Report, load_report, render
from selfsent.evaluation.score import Score
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.suites import SUITES, evaluate

__all__ = [
    "SUITES",
    "Difference",
    "Report",
    "Score",
    "SuiteOptions",
    "evaluate",
    "load_report",
    "paired_differences",
    "render",
    "render_baselines",
    "render_differences",
    "render_side_by_side",
]
