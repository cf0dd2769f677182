"""The command line in this process, for tests of whole runs that several tests look at."""

import contextlib
import io
import logging
import sys
from dataclasses import dataclass

import pytest
from transformers.utils import logging as transformers_logging

from selfsent import cli


@dataclass(frozen=True)
class Outcome:
    """What a command left behind; ``notes`` are the package's own log, which a terminal shows above the error."""

    code: int
    out: str
    err: str
    notes: list[str]


class _Notes(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def typed(*arguments: object) -> Outcome:
    """Run ``selfsent`` with these arguments, without evaluation data, and return what a person would see."""
    notes, out, err = _Notes(), io.StringIO(), io.StringIO()
    logger = logging.getLogger("selfsent")
    logger.addHandler(notes)
    # What the environment tells transformers on a terminal comes too late where it has been imported before.
    transformers_logging.disable_progress_bar()
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            patch.delenv("SELFSENT_DATA", raising=False)
            patch.setattr(sys, "argv", ["selfsent", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                cli.main()
    finally:
        transformers_logging.set_verbosity(verbosity)
        logger.removeHandler(notes)
    return Outcome(int(ended.value.code or 0), out.getvalue(), err.getvalue(), notes.lines)


def refused(outcome: Outcome, *words: str) -> None:
    """Require exit code 2 and one line, the error, that holds the words."""
    assert outcome.code == 2, outcome
    (error,) = [line for line in outcome.err.splitlines() if line and line not in outcome.notes]
    assert error.startswith("error: ")
    for word in words:
        assert word in error, error
