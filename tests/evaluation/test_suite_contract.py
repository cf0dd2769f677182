"""What every suite must keep: one file of ``tasks``, one signature, one line for missing data."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer

from selfsent.errors import UserError
from selfsent.evaluation import SuiteOptions, evaluate, tasks
from selfsent.evaluation.suites import SUITES

OF_THE_HUB_OR_THIS_MACHINE = {"docs"}
"""Suites that need no folder of data."""
SHARED = {"__init__", "asking_documents", "labelled_texts", "mteb_task", "pairs", "similarity_bias", "store_search"}
"""Files of ``tasks`` that are no suite of one name: what several of them read or compute, and ``mteb:NAME``."""
FILES = sorted(path.stem for path in Path(tasks.__path__[0]).glob("*.py") if path.stem not in SHARED)


def module_of(suite: str) -> str:
    return {"docs": "docs_retrieval"}.get(suite, suite.replace("-", "_"))


def test_every_file_of_tasks_is_a_suite_and_every_suite_a_file() -> None:
    assert sorted(map(module_of, SUITES)) == FILES


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_takes_a_model_a_folder_and_the_protocol(suite: str) -> None:
    entry = import_module(f"selfsent.evaluation.tasks.{module_of(suite)}").evaluate
    parameters = inspect.signature(entry).parameters
    assert list(parameters)[:3] == ["model", "data_dir", "options"]
    assert all(one.default is not inspect.Parameter.empty for one in list(parameters.values())[3:])
    assert "Returns:" in (entry.__doc__ or "")


@pytest.mark.parametrize("suite", sorted(SUITES.keys() - OF_THE_HUB_OR_THIS_MACHINE))
def test_missing_data_is_named_in_one_line(suite: str, tmp_path: Path, tiny_static_model: SentenceTransformer) -> None:
    with pytest.raises(UserError) as caught:
        evaluate(tiny_static_model, suite, tmp_path, options=SuiteOptions(num_resamples=10))
    assert "\n" not in str(caught.value)
