"""The tables of the methods, from what a paper says to the object that does it: each object is where the table says."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sentence_transformers.base import modules as base_modules
from sentence_transformers.sentence_transformer import SentenceTransformer, losses, modules

import selfsent
from selfsent.methods import METHODS

ROOT = Path(selfsent.__file__).parent
METHOD_FILES = sorted(path for path in (ROOT / "methods").glob("*.py") if "\n====" in path.read_text("utf8"))
OF_THE_HOST = (losses, modules, base_modules)
NAMED = re.compile(r"``([^`]+)``")


def rows(path: Path) -> Iterator[tuple[list[str], str]]:
    """The objects of each row of a module's table, and where they are said to be."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf8")), clean=False) or ""
    lines = docstring.splitlines()
    edges = [number for number, line in enumerate(lines) if line.startswith("====")]
    ends = [match.end() for match in re.finditer("=+", lines[edges[0]])]
    for line in lines[edges[1] + 1 : edges[2]]:
        objects = [name for cell in NAMED.findall(line[ends[0] : ends[1]]) for name in re.split(r", (?![^(]*\))", cell)]
        yield objects, line[ends[1] :].strip()


def parameters(node: ast.FunctionDef | ast.ClassDef) -> set[str]:
    """What a function takes, or the constructor of a class, be it a data class."""
    if isinstance(node, ast.ClassDef):
        fields = {part.target.id for part in node.body if isinstance(part, ast.AnnAssign)}
        init = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
        return fields | (parameters(init[0]) if init else set())
    return {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}


def is_defined(written: str, path: Path) -> bool:
    """Whether ``name``, ``name.attribute`` or ``name(parameter=...)`` is defined in a file itself, and not imported.

    A name alone may also be that of a setting of something defined there.
    """
    name, attribute, parameter = re.fullmatch(r"(\w+)(?:\.(\w+))?(?:\((\w+)(?:=.*)?\))?", written).groups()
    body = ast.parse(path.read_text("utf8")).body
    for node in body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if name not in {getattr(node, "name", None), *(getattr(target, "id", None) for target in targets)}:
            continue
        inside = {part.name for part in ast.walk(node) if isinstance(part, ast.FunctionDef)}
        inside |= {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
        return (attribute is None or attribute in inside) and (parameter is None or parameter in parameters(node))
    return any(name in parameters(node) for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef))


def is_the_hosts(written: str) -> bool:
    name, _, attribute = written.partition(".")
    places: list[ModuleType] = [*OF_THE_HOST]
    return any(hasattr(place, name) for place in places) or (
        name == "SentenceTransformer" and hasattr(SentenceTransformer, attribute)
    )


@pytest.mark.parametrize("path", METHOD_FILES, ids=lambda path: path.stem)
def test_every_object_of_a_methods_table_is_where_the_table_says(path: Path):
    wrong: list[str] = []
    for objects, place in rows(path):
        assert objects, f"a row without an object, {place}"
        if "host" in place:
            wrong += [f"{name} is not the host's" for name in objects if not is_the_hosts(name)]
        elif place.startswith("gensim"):
            assert objects == ["gensim.models.FastText"]
        else:
            where = path if place == "this file" else ROOT / NAMED.fullmatch(place)[1]
            if where.is_dir():
                package = importlib.import_module(f"selfsent.{where.relative_to(ROOT).as_posix().replace('/', '.')}")
                wrong += [f"{name} is not in {place}" for name in objects if not hasattr(package, name)]
            else:
                wrong += [f"{name} is not in {place}" for name in objects if not is_defined(name, where)]
    assert not wrong


def test_every_method_has_such_a_table():
    modules_of_methods = {method.config.__module__.rpartition(".")[2] for method in METHODS.values()}
    assert modules_of_methods == {path.stem for path in METHOD_FILES}
