"""The laws of the layout: floors, no circles, how files are named, where their tests are."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "selfsent"
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
KNOWN = frozenset(FILES)
FLOORS = (
    "__main__ cli serving_commands",
    "front_door",
    "command_options listings commands",
    "demo",
    "document_build",
    "serving serving/page",
    "document_report",
    "runs",
    "methods",
    "training",
    "losses",
    "evaluation/comparison evaluation/bridges",
    "evaluation/tasks",
    "evaluation",
    "drawing",
    "search",
    "modules",
    "documents",
    "views",
    "parsing",
    "counts",
    "data data/parallel",
    "loading cut_texts",
    "runtime",
    "kernels",
    "trees",
    "encoding model_content one_writer",
    "atomic device compiler shapes time_limit words printed_text standard_streams options errors",
)
"""Roof to ground, as docs/decisions.md says: a file imports only from its own floor and from those below."""
LEVELS = {room: level for level, floor in enumerate(FLOORS) for room in floor.split()}
SHARED_BY_METHODS = {"document_views", "method", "starting_model", "table_start", "tree_model"}
PAPERS = [
    file for file in FILES if file.startswith("methods/") and Path(file).stem not in {"__init__", *SHARED_BY_METHODS}
]
MAX_LINES = 450
MAX_FUNCTION_LINES = 60


def imported(file: str) -> Iterator[str]:
    """The modules of this package that a file imports, at its top or inside its functions."""
    for node in ast.walk(ast.parse((PACKAGE / file).read_text("utf8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, packages: set[str]) -> bool:
    """Whether a dotted name is one of the packages or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def room(file: str) -> str:
    """The folder of a file, or the file itself where it lies flat in the package."""
    return Path(file).parent.as_posix() if "/" in file else Path(file).stem


def files_imported(file: str) -> set[str]:
    """The files of this package that a file imports; a folder stands for its ``__init__``."""
    found: set[str] = set()
    for name in imported(file):
        path = name.removeprefix("selfsent").strip(".").replace(".", "/")
        if not name.startswith("selfsent"):
            continue
        found.update(other for other in (f"{path}.py", f"{path}/__init__.py") if other in KNOWN)
    return found - {file}


@pytest.mark.parametrize("file", [file for file in FILES if file != "__init__.py"])
def test_a_file_imports_from_its_own_floor_and_below(file: str) -> None:
    level = LEVELS[room(file)]
    assert [other for other in files_imported(file) if LEVELS[room(other)] < level] == []


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {file: files_imported(file) for file in FILES}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("file", PAPERS)
def test_a_method_knows_no_other_method(file: str) -> None:
    others = {f"selfsent.methods.{Path(other).stem}" for other in PAPERS if other != file}
    assert [name for name in imported(file) if within(name, others)] == []


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_named_after_its_mechanism_and_short(file: str) -> None:
    assert Path(file).stem not in {"utils", "helpers", "common", "misc", "base"}
    text = (PACKAGE / file).read_text("utf8")
    assert len(text.splitlines()) <= MAX_LINES
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    bodies = {node.name: _num_body_lines(node) for node in functions}
    assert {name: lines for name, lines in bodies.items() if lines > MAX_FUNCTION_LINES} == {}


def _num_body_lines(function: ast.FunctionDef) -> int:
    """Lines of a function without its signature and docstring."""
    first = function.body[1 if ast.get_docstring(function) and len(function.body) > 1 else 0]
    return (function.end_lineno or 0) - first.lineno + 1


def test_a_folder_of_tests_stands_where_what_it_tests_stands() -> None:
    tests = ROOT / "tests"
    folders = {path.parent.relative_to(tests).as_posix() for path in tests.rglob("test_*.py")}
    assert folders - {Path(file).parent.as_posix() for file in FILES} == set()


def test_committed_text_names_no_place_of_one_machine() -> None:
    places = ("/" + "work/", "/" + "tmp/", "/" + "root/", "/" + "home/")
    found = [
        f"{path.relative_to(ROOT)}: {place}"
        for folder in ("src", "docs", "recipes", "benchmarks", "tools")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".md", ".toml"}
        for place in places
        if place in path.read_text("utf8")
    ]
    assert found == []
