"""The keywords of ``train`` are the options of runs and methods, written out for editors."""

from pathlib import Path
from typing import Any

import pytest
from tools import option_types

from selfsent.errors import UserError
from selfsent.methods import METHODS
from selfsent.options import names_of
from selfsent.runs.train import train
from selfsent.runs.train_options import OPTIONS_OF, TrainOptions

MISSPELT: Any = {"resum": True}
OF_NOBODY: Any = {"zzz": 1}


def test_the_file_is_what_the_options_say() -> None:
    assert option_types.FILE.read_text("utf8") == option_types.text()


def test_every_option_of_every_method_is_a_keyword_and_is_completed() -> None:
    for name, method in METHODS.items():
        assert OPTIONS_OF[name].split() == names_of(method.config)
        assert set(names_of(method.config)) <= set(TrainOptions.__annotations__)


def test_a_misspelt_keyword_is_answered_with_the_nearest_of_run_and_methods(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sct has no option 'resum' \(did you mean 'resume'\?\)"):
        train("sct", "texts.txt", tmp_path / "model", **MISSPELT)
    with pytest.raises(UserError, match="sct has no option 'zzz'; see `selfsent methods sct`"):
        train("sct", "texts.txt", tmp_path / "model", **OF_NOBODY)
