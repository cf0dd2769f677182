"""What ``<!-- include: ... -->`` puts into a page: files, tables of results, and what the code says of itself."""

import ast
import inspect
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from selfsent.cli import app
from selfsent.listings import shown, source_of, values_of
from selfsent.methods import METHODS
from selfsent.options import describe
from tools.overview import table_of

ROOT = Path(__file__).resolve().parents[2]
_LANGUAGES = {".py": "python", ".toml": "toml", ".json": "json", ".md": "markdown"}


def included(directive: str) -> str:
    """Give what a directive stands for.

    Args:
        directive: Such as ``file examples/simcse.py`` or ``table results/sct-wiki/table.md columns=run,sts7``.

    Raises:
        SystemExit: The directive is not known, or what it names is not there.
    """
    kind, *words = shlex.split(directive)
    named = dict(word.split("=", 1) for word in words if "=" in word and not Path(word).exists())
    plain = [word for word in words if word.split("=", 1)[0] not in named]
    try:
        return KINDS[kind](*plain, **named)
    except (KeyError, TypeError, ValueError, FileNotFoundError, StopIteration) as error:
        raise SystemExit(f"include: {directive}: {error!r}") from error


def file(path: str) -> str:
    """A file as a block of code, under its name."""
    text = (ROOT / path).read_text("utf8").rstrip("\n")
    return f'```{_LANGUAGES.get(Path(path).suffix, "text")} title="{path}"\n{text}\n```'


def table(path: str, columns: str = "", rows: str = "", names: str = "") -> str:
    """A table that a command wrote into results/: all of it, or some columns and rows, with its title above.

    Args:
        path: A Markdown file with one table.
        columns: Headings to keep, in this order, with commas between them.
        rows: First cells of the rows to keep.
        names: New headings, as many as ``columns``.
    """
    lines = (ROOT / path).read_text("utf8").splitlines()
    found = [_cells(line) for line in lines if line.startswith("|")]
    heading, body = found[0], [row for row in found[2:] if len(row) == len(found[0])]
    keep = [heading.index(name) for name in columns.split(",")] if columns else list(range(len(heading)))
    wanted = rows.split(",") if rows else [row[0] for row in body]
    missing = set(wanted) - {row[0] for row in body}
    if missing:
        raise KeyError(f"no row {missing}")
    shown_names = names.split(",") if names else [heading[place] for place in keep]
    picked = [[row[place] for place in keep] for row in body if row[0] in wanted]
    about = next((line[2:] for line in lines if line.startswith("# ")), "")
    answers = next((line for line in lines if line.startswith("Answers to")), "")
    note = "\n\n".join(filter(None, [f"*{about}.*" if about else "", f"{answers}." if answers else ""]))
    return f"{note}\n\n{_markdown(shown_names, picked)}\n\nFrom `{path}`, written by a command.\n"


def overview(family: str) -> str:
    """Models of a family with quality, minutes and size, as results/ has them."""
    headings, rows = table_of(family)
    return f"{_markdown(headings, [[_escaped(cell) for cell in row] for row in rows])}\n"


def citation(name: str) -> str:
    """The paper of a method, from its file's docstring."""
    (line,) = source_of(METHODS[name])
    return f"**Source.** {_linked(line.removeprefix('Source: '))}"


def equations(name: str) -> str:
    """Which equation is computed where: the table of a method's file."""
    lines = _docstring(name).splitlines()
    borders = [number for number, line in enumerate(lines) if line.startswith("===")]
    columns = [(found.start(), found.end()) for found in re.finditer("=+", lines[borders[0]])]
    columns[-1] = (columns[-1][0], 10_000)
    cut = [[lines[n][start:end].strip() for start, end in columns] for n in range(borders[0] + 1, borders[2])]
    heading, *rows = [row for row in cut if not row[0].startswith("=")]
    return _markdown(heading, [[cell.replace("``", "`") for cell in row] for row in rows])


def differs(name: str) -> str:
    """Where we differ from the paper or its code: the list of a method's file."""
    text = _docstring(name)
    start = re.search(r"Where we (differ|chose)", text)
    if start is None:
        raise KeyError(f"{name} says nothing of where it differs")
    items = text[start.start() :].partition("\n\n")[2]
    return items.replace("``", "`")


def options(name: str) -> str:
    """The options of a method, and the training arguments it starts with."""
    method = METHODS[name]
    rows = [
        (f"`{one.name}`", _escaped(values_of(one)), f"`{shown(one.default)}`", _escaped(one.text.replace("``", "`")))
        for one in describe(method.config)
    ]
    arguments = ", ".join(f"`{key}={shown(value)}`" for key, value in method.training(method.config()).items())
    return f"{_markdown(('option', 'values', 'default', 'what'), rows)}\n\nTraining arguments: {arguments}.\n"


def methods() -> str:
    """A table of the methods."""
    return _markdown(("method", "what"), [(f"`{one.name}`", _escaped(one.summary)) for one in METHODS.values()])


def views() -> str:
    """A table of the views."""
    from selfsent.listings import list_views  # noqa: PLC0415 imports torch

    return _of_text_table(list_views())


def suites() -> str:
    """A table of the suites and one of the settings of their protocol."""
    from selfsent.listings import list_suites  # noqa: PLC0415 imports torch

    names, _, settings = list_suites()
    return f"{_of_text_table(names)}\n\nSettings of the protocol:\n\n{_of_text_table(settings)}"


def recipes() -> str:
    """A table of the recipes."""
    from selfsent.listings import list_recipes  # noqa: PLC0415 imports torch

    return _of_text_table(list_recipes())


def commands() -> str:
    """Every command with its arguments and options."""
    group: Any = typer.main.get_command(app)
    return "\n".join(part for name in sorted(group.commands) for part in _command(name, group.commands[name]))


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    usage = " ".join([name, *(_placeholder(one) for one in arguments)])
    yield f"\n## selfsent {name}\n\n{(command.help or '').strip()}\n\n```text\nselfsent {usage} [OPTIONS]\n```\n"
    rows = [
        (", ".join(f"`{flag}`" for flag in (*one.opts, *one.secondary_opts)), _escaped(one.help or ""), _default(one))
        for one in command.params
        if one.param_type_name == "option" and one.name != "help"
    ]
    told = [f"* `{_placeholder(one)}`: {one.help}" for one in arguments if one.help]
    yield "\n".join(told) + "\n"
    if rows:
        yield _markdown(("option", "what", "default"), rows) + "\n"


def _placeholder(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _default(option: Any) -> str:
    if option.required:
        return "needed"
    value = getattr(option.default, "value", option.default)
    return "" if value in (None, False) or callable(value) else f"`{value}`"


def tree(folder: str) -> str:
    """The files of a folder of Python files, each with its first docstring line."""
    rows = [
        (f"`{path.name}`", (ast.get_docstring(ast.parse(path.read_text("utf8"))) or "").partition("\n")[0])
        for path in sorted((ROOT / folder).glob("*.py"))
    ]
    return _markdown(("file", "what"), rows)


def _docstring(name: str) -> str:
    return inspect.cleandoc(sys.modules[METHODS[name].config.__module__].__doc__ or "")


def _linked(text: str) -> str:
    """The arXiv numbers of a citation as links."""
    return re.sub(r"arXiv (\d{4}\.\d{4,5})", r"[arXiv \1](https://arxiv.org/abs/\1)", text.replace("``", "`"))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")


def _of_text_table(found: Any) -> str:
    headings = [str(column.header) for column in found.columns]
    cells = [[_escaped(str(cell).replace("``", "`")) for cell in column.cells] for column in found.columns]
    return _markdown(headings, [(f"`{row[0]}`", *row[1:]) for row in zip(*cells, strict=True)])


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


KINDS: dict[str, Callable[..., str]] = {
    one.__name__: one
    for one in (
        file,
        table,
        overview,
        citation,
        equations,
        differs,
        options,
        methods,
        views,
        suites,
        recipes,
        commands,
        tree,
    )
}
