"""Check the commands of README and docs: each one parses, and names what is there.

``python -m tools.documented_commands`` lists those that would not run.

Read are blocks of code, fenced or indented, in which a line begins with ``selfsent`` or ``$ selfsent``. A command is
parsed by the command line itself, without being run; methods, recipes, settings and suites that it names must exist.
"""

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from selfsent.cli import app
from selfsent.errors import UserError
from selfsent.evaluation.suites import suite_names
from selfsent.methods import METHODS
from selfsent.options import PRESET, describe
from selfsent.runs.recipe import find_recipe, parse_assignments, split_settings
from selfsent.training.arguments import argument_names

ROOT = Path(__file__).resolve().parents[1]
_FENCE = re.compile(r"^\s*```")
_COMMAND = re.compile(r"^\s*(?:\$ )?(?:\w+=\S+ )*(selfsent|\S+(?: \S+)* -m selfsent) (?!\.\.\.)")
_PLACEHOLDERS = re.compile(r"\.\.\.|[\[\]]| N\b")
"""Marks of a line that shows a form and is no command."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A command as it is written.

    Args:
        place: File and line.
        words: Its words, without ``selfsent``.
    """

    place: str
    words: Sequence[str]

    @property
    def text(self) -> str:
        """The command on one line."""
        return shlex.join(["selfsent", *self.words])


def documents() -> list[Path]:
    """The files whose commands are checked."""
    return [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "benchmarks" / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    ]


def commands(path: Path) -> Iterator[Written]:
    """Yield the commands of a Markdown file."""
    is_fenced, pending, start = False, "", 0
    for number, line in enumerate(path.read_text("utf8").splitlines(), 1):
        if _FENCE.match(line):
            is_fenced = not is_fenced
            continue
        if not (is_fenced or line.startswith("    ") or pending):
            continue
        if not pending and not _COMMAND.match(line):
            continue
        start = start if pending else number
        pending += line.rstrip("\\") + " "
        if line.endswith("\\"):
            continue
        if not _PLACEHOLDERS.search(pending.replace("{...}", "")):
            words = shlex.split(pending, comments=True)
            first = next(place for place, word in enumerate(words) if word == "selfsent")
            yield Written(place=f"{path.relative_to(ROOT)}:{start}", words=_before_a_pipe(words[first + 1 :]))
        pending = ""


def _before_a_pipe(words: Sequence[str]) -> list[str]:
    ends = [place for place, word in enumerate(words) if word in {"|", ">", "&&", "&", ";"}]
    return list(words[: ends[0]] if ends else words)


def problem(command: Written) -> str:
    """Say what is wrong with a command; empty where nothing is."""
    group: Any = typer.main.get_command(app)
    if not command.words or command.words[0] not in {*group.commands, "--version", "--help", "--install-completion"}:
        return f"No such command {' '.join(command.words[:1])!r}"
    if command.words[0] not in group.commands:
        return ""
    try:
        context = group.make_context("selfsent", list(command.words), resilient_parsing=True)
        name, inner, rest = group.resolve_command(context, list(command.words))
        values = inner.make_context(name, list(rest)).params
        _check_names(str(name), values)
    except UserError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 whatever the command line raises is what is wrong
        told = getattr(error, "format_message", error.__str__)()
        return told or repr(error)
    return ""


def _check_names(name: str, values: dict[str, Any]) -> None:
    """Check the method or recipe, the settings and the suites of a command.

    Raises:
        UserError: One of them is not there.
    """
    if name in {"train", "tune"}:
        asked = str(values.get("method") or values.get("recipe"))
        path = Path(asked)
        if path.suffix == ".toml" and not (ROOT / path).is_file():
            if path.parts[0] == "recipes":
                raise UserError(f"there is no recipe {path}")
            return
        recipe = find_recipe(str(ROOT / path) if path.suffix == ".toml" else asked, METHODS)
        options, training = split_settings(parse_assignments(values.get("set") or []))
        methods = {entry.get("method", recipe.method) for entry in recipe.run} or {recipe.method}
        known = {PRESET, *(one.name for method in methods for one in describe(METHODS[method].config))}
        unknown = [*(options.keys() - known), *(training.keys() - set(argument_names()))]
        if unknown:
            raise UserError(f"{asked} has no setting {', '.join(sorted(unknown))}")
    if name in {"evaluate", "compare"}:
        suite_names(str(values["suite"] or "sts"))
    if name == "methods" and values.get("name") and values["name"] not in {*METHODS, "NAME"}:
        raise UserError(f"there is no method {values['name']}")


def main() -> int:
    """Check all commands; name those that would not run."""
    found = [command for path in documents() for command in commands(path)]
    wrong = [f"{command.place}: {command.text}\n    {what}" for command in found if (what := problem(command))]
    print(*wrong, sep="\n")
    print(f"{len(found)} commands, {len(wrong)} wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
