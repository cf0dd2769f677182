"""Which tasks stand in which panel of the plot of all scores."""

import pytest

from selfsent.evaluation.comparison.compare import compare_runs
from selfsent.evaluation.comparison.runs import Run
from selfsent.evaluation.comparison.score_panels import draw_scores, kinds_of_tasks
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.report import Report
from selfsent.evaluation.score import Score

METRIC_OF = {
    "STS12": "spearman",
    "geometry/uniformity": "uniformity",
    "geometry/anisotropy": "anisotropy",
    "scifact": "ndcg@10",
    "pool/en-de": "accuracy",
    "SST-2": "accuracy",
    "STS13": "spearman",
    "PTB": "f1",
}


def run(name: str, *tasks: str) -> Run:
    scores = [
        Score(task=task, metric=METRICS[METRIC_OF[task]], value=number / 10, ci95=(0.0, 0.9), num_items=5)
        for number, task in enumerate(tasks)
    ]
    return Run(name=name, report=Report(model=name, scores=tuple(scores), versions={}))


def test_tasks_are_grouped_by_folder_else_by_metric_and_none_of_one_run_alone_is_drawn():
    compared = compare_runs([run("a", *METRIC_OF), run("b", *list(METRIC_OF)[:-1])])
    assert kinds_of_tasks(compared) == {
        "spearman": ["STS12", "STS13"],
        "geometry": ["geometry/anisotropy"],
        "ndcg@10": ["scifact"],
        "pool": ["pool/en-de"],
        "accuracy": ["SST-2"],
    }


@pytest.mark.parametrize("shared", [("STS12",), ("STS12", "scifact"), tuple(METRIC_OF)])
def test_every_kind_gets_a_panel_with_its_tasks_from_top_to_bottom(shared: tuple[str, ...]):
    figure = pytest.importorskip("matplotlib.figure").Figure(layout="constrained")
    compared = compare_runs([run("a", *shared), run("b", *shared)])
    assert draw_scores(figure, compared)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    labels = {axes.get_title(loc="left"): [label.get_text() for label in axes.get_yticklabels()] for axes in panels}
    kinds = kinds_of_tasks(compared)
    assert labels == {kind: [task.rpartition("/")[2] for task in tasks] for kind, tasks in kinds.items()}
    assert all(axes.get_ylim()[0] > axes.get_ylim()[1] for axes in panels)


def test_nothing_is_drawn_where_no_two_runs_share_a_task():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    assert not draw_scores(figure, compare_runs([run("a", "STS12"), run("b", "STS13")]))
