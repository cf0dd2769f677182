"""Choosing suites and data."""

import pytest
from tests.evaluation.evaluation_data import Table

from selfsent.errors import UserError
from selfsent.evaluation import (
    evaluate,
)


@pytest.mark.parametrize(
    ("suites", "message"),
    [("stss", r"no suite named stss \(did you mean 'sts'\?\); the suites are sts, "), (",", "no suite")],
)
def test_an_unknown_suite_lists_the_known_ones(tmp_path, suites, message):
    with pytest.raises(UserError, match=message):
        evaluate(Table(), suites, tmp_path)


def test_a_data_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"--data-dir must be a folder .*nowhere"):
        evaluate(Table(), "sts", tmp_path / "nowhere")
