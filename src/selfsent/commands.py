"""What all commands share: how typed values are read, how many threads may run, and how a command ends."""

import gc
import logging
import os
import re
import sys
from collections.abc import MutableMapping
from typing import Any, NoReturn

import typer
import typer.core

from selfsent.errors import UserError, did_you_mean
from selfsent.printed_text import visible
from selfsent.standard_streams import lost_output, open_streams

INTERRUPTED = 130

_COLLECTION = (100_000, 20, 20)
"""How often Python looks for unreachable cycles (``gc.set_threshold``). An import of torch and the host makes half a
million objects that live on; with the default of 700 an eighth of its time goes into looking through them again."""

# Of typer's own copy of click, or of click itself: whichever this version of typer is built on.
_UsageError: Any = typer.BadParameter.__mro__[1]

_CHOICE = re.compile(r"'(?P<typed>[^']*)' is not one of (?P<choices>.*)")

_THREADS = "SELFSENT_THREADS"
_MOST_THREADS = 1024
_THREADS_OF_LIBRARIES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
)

_SPINS = ("GOMP_SPINCOUNT", "10000")
"""How often a thread of torch looks whether the others are done before it sleeps. libgomp's own 300,000 times keep a
core from whatever the others wait for: beside two busy processes on two cores, small steps of a transformer took three
to five times as long; on free cores the two are alike (benchmarks/README.md)."""

_TEXTS = frozenset({"query", "sentence", "columns", "set", "documents"})
"""Parameters that hold texts, neither a name nor a place; each says itself what it needs."""


class Interrupted(Exception):  # noqa: N818 it is not an error
    """A person pressed Ctrl-C; the text says how to go on, which typer would drop."""


class CommandGroup(typer.core.TyperGroup):
    """All commands; passes an interruption on with its text."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted(str(error) or "interrupted") from None


class Command(typer.core.TyperCommand):
    """A command whose names and places may begin with ``~``, as in ``--store=~/notes``, and are never empty.

    Both are settled before typer makes a path of what was typed: an empty path would mean the current folder. Help and
    errors write arguments in capitals, as the documentation does.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        parameters: list[Any] = self.params
        for one in parameters:
            if one.param_type_name == "argument" and one.metavar is None:
                one.metavar = str(one.name).upper()

    def make_parser(self, ctx: Any) -> Any:
        """Make the parser of typer, and settle what it finds."""
        parser = super().make_parser(ctx)
        parse = parser.parse_args
        parameters = {one.name: one for one in self.get_params(ctx)}

        def parse_and_settle(args: list[str]) -> Any:
            found, rest, order = parse(args)
            return {name: _settled(value, parameters[name]) for name, value in found.items()}, rest, order

        parser.parse_args = parse_and_settle
        return parser


def _settled(value: Any, parameter: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_settled(one, parameter) for one in value)
    if not isinstance(value, str):
        return value
    if parameter.name in _TEXTS:  # Python reads arguments by the locale, in which UTF-8 may not be valid
        return value.encode("utf8", "surrogateescape").decode("utf8", "replace")
    if not value:
        option = parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.metavar or parameter.name.upper()
        raise UserError(f"{option} is empty; give it a value (a shell variable that is not set is empty)")
    return os.path.expanduser(value)  # noqa: PTH111 a text stays a text


def run_command_line(app: typer.Typer) -> NoReturn:
    """Run the command that was typed and leave the process; a user's mistake is one line and exit code 2."""
    gc.set_threshold(*_COLLECTION)
    open_streams()
    _quiet_libraries()
    try:
        share_threads(os.environ)
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except UserError as error:
        _fail(f"error: {error}", 2)
    except _UsageError as error:
        _fail(f"error: {_usage(error)}", 2)
    except OSError as error:
        _fail(
            f"error: {error.filename or 'a file'}: {error.strerror or error}; check the path, its rights and the disk",
            2,
        )
    except (KeyboardInterrupt, Interrupted) as error:
        _fail(str(error) or "interrupted", INTERRUPTED)
    lost = lost_output()
    if lost is not None:
        _fail(f"error: standard output cannot be written to ({lost}); the command itself was carried out", 2)
    raise SystemExit(code or 0)


def note(*notes: str) -> None:
    """Tell what a person should know of the work that was done, on standard error as the notes of a training."""
    for one in notes:
        logging.getLogger("selfsent").info(one)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(visible(message), err=True)
    raise SystemExit(code)


class OneLine(logging.Formatter):
    """Writes a note on one line, without what would command a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the note of a record."""
        return visible(super().format(record))


def _quiet_libraries() -> None:
    """Our own notes and warnings go to standard error, one line each; the libraries' chatter does not."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("selfsent").setLevel(logging.INFO)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def _usage(error: Any) -> str:
    """What was typed wrongly, and where to look."""
    command = error.ctx.command_path if error.ctx else "selfsent"
    reason = " ".join(error.format_message().split()).rstrip(".")
    reason = reason.replace("Value error, ", "").partition(", unable to parse")[0]
    if "Input should be " in reason:  # of a number; typer drops what was typed
        typed = next((one["input"] for one in getattr(error.__cause__, "errors", list)()), "")
        reason = f"{reason.replace('Input should be ', 'must be ')}, got {typed!r}"
    if choice := _CHOICE.search(reason):
        reason += did_you_mean(choice["typed"], re.findall(r"'([^']*)'", choice["choices"]))
    takes_text = error.ctx is not None and any(one.name in {"query", "sentence"} for one in error.ctx.command.params)
    is_unknown = hasattr(error, "option_name") and not getattr(error, "possibilities", None)
    looks_so = is_unknown or any(typed.startswith("-") and " " in typed for typed in sys.argv[1:])
    hint = "a text that begins with - goes behind `--`; " if takes_text and looks_so else ""
    return f"{reason} ({hint}see `{command} --help`)"


def share_threads(environment: MutableMapping[str, str]) -> None:
    """Give every library the budget of ``SELFSENT_THREADS``, where that is set; more threads than cores are allowed.

    torch and its MKL, numpy's OpenBLAS, numba's loops and the tokenizers each count the cores and take them all. Each
    reads its own variable of the environment when it is imported, so the budget has to be set before. Threads that wait
    for others soon sleep, unless ``GOMP_SPINCOUNT`` or ``OMP_WAIT_POLICY`` says how they wait.

    Args:
        environment: The environment variables of this process.

    Raises:
        UserError: The budget is not a whole number of 1 or more.
    """
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault(*_SPINS)
    budget = environment.get(_THREADS)
    if not budget:
        return
    if not (budget.isascii() and budget.isdigit() and 0 < int(budget) <= _MOST_THREADS):
        raise UserError(
            f"{_THREADS} must be a whole number from 1 to {_MOST_THREADS}, got {budget!r}; unset it to use all cores"
        )
    environment.update(dict.fromkeys(_THREADS_OF_LIBRARIES, budget))
