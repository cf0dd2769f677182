"""The package as a whole: it imports, is documented, starts fast, and holds in its wheel what it needs."""

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest
from tools.readme_tree import with_tree

import selfsent
from selfsent.methods import METHODS
from selfsent.runs.recipe import shipped_recipes

ROOT = Path(__file__).parents[1]
MODULES = sorted(module.name for module in pkgutil.walk_packages(selfsent.__path__, "selfsent."))


def is_ours(member: object) -> bool:
    """Whether it is a class or function of this package."""
    is_code = inspect.isclass(member) or inspect.isfunction(member)
    return is_code and str(member.__module__).partition(".")[0] == "selfsent"


def own_members(name: str) -> dict[str, object]:
    """The public classes and functions that a module defines itself."""
    members = vars(importlib.import_module(name)).items()
    return {key: value for key, value in members if key[0] != "_" and is_ours(value) and value.__module__ == name}


def has_own_docstring(member: object) -> bool:
    """Whether it is documented itself, and not only what it inherits from."""
    return bool((vars(member) if inspect.isclass(member) else {"__doc__": member.__doc__}).get("__doc__"))


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_a_module_imports_and_everything_public_in_it_is_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    undocumented = [member for member, value in own_members(name).items() if not has_own_docstring(value)]
    assert not undocumented


@pytest.mark.parametrize("name", ["selfsent", *(name for name in MODULES if not name.endswith("__main__"))])
def test_what_a_module_exports_is_there_and_documented(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", [])
    assert len(set(exported)) == len(exported)
    for member in exported:
        value = getattr(module, member)
        assert not is_ours(value) or has_own_docstring(value), member


def test_every_library_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    wanted = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    declared = {re.match(r"[\w-]+", one)[0].lower().replace("_", "-") for one in wanted}
    trees = [ast.parse(path.read_text("utf8")) for path in (ROOT / "src").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    imported = {name.partition(".")[0] for name in names} - {*sys.stdlib_module_names, "selfsent"}
    providers = packages_distributions()
    undeclared = {
        name
        for name in imported
        if not declared & {one.lower().replace("_", "-") for one in providers.get(name, [name])}
    }
    assert undeclared == set()


def test_importing_the_package_imports_no_heavy_library() -> None:
    heavy = "{'torch', 'transformers', 'sentence_transformers', 'datasets', 'numba', 'lancedb', 'pyarrow', 'typer'}"
    code = f"import sys, selfsent; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    assert shown.stdout.strip() == "[]"


def test_asking_for_help_imports_no_heavy_library() -> None:
    code = (
        "import sys; from selfsent.cli import main; sys.argv = ['selfsent', 'train', '--help']\n"
        "try: main()\n"
        "except SystemExit: print(sorted({'torch', 'transformers', 'datasets', 'numba'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    assert shown.stdout.strip().splitlines()[-1] == "[]"


def test_a_name_the_package_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = selfsent.trian


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_is_whole_and_answers_to_something(name: str) -> None:
    recipe = tomllib.loads(shipped_recipes()[name].read_text("utf8"))
    assert recipe["method"] in METHODS
    assert recipe["title"]
    assert recipe["answers"]
    method = METHODS[recipe["method"]]
    options = set(recipe.get("options", {}))
    assert options <= {*method.config.__dataclass_fields__, *(["preset"] if method.released else [])}


def test_the_readmes_tree_is_the_repositorys() -> None:
    check = [sys.executable, "-m", "tools.readme_tree", "--check"]
    done = subprocess.run(check, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_tree_that_is_out_of_date_or_has_no_place_is_noticed() -> None:
    readme = (ROOT / "README.md").read_text("utf8")
    stale = readme.replace("losses/ ", "gains/ ")
    assert stale != readme
    assert with_tree(stale) == readme
    with pytest.raises(SystemExit, match="needs the lines"):
        with_tree("no markers")


def test_the_readme_names_every_method_and_every_command() -> None:
    readme = (ROOT / "README.md").read_text("utf8")
    source = ast.parse((ROOT / "src" / "selfsent" / "cli.py").read_text("utf8"))
    commands = [
        node.name
        for node in source.body
        if isinstance(node, ast.FunctionDef) and any("command" in ast.dump(mark) for mark in node.decorator_list)
    ]
    assert commands
    assert [name for name in METHODS if f"`{name}`" not in readme] == []
    assert [name for name in commands if f"selfsent {name}" not in readme] == []


@pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="hatchling, the build backend, is not there")
def test_the_wheel_holds_the_types_marker_and_the_recipes(tmp_path: Path) -> None:
    build = f"import hatchling.build; print(hatchling.build.build_wheel({str(tmp_path)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    )
    with zipfile.ZipFile(tmp_path / done.stdout.strip().splitlines()[-1]) as wheel:
        names = set(wheel.namelist())
    kinds = {".py", ".css", ".js", ".html", ".svg"}
    package = [path for path in (ROOT / "src" / "selfsent").rglob("*") if path.suffix in kinds]
    files = {path.relative_to(ROOT / "src").as_posix() for path in package}
    recipes = {f"selfsent/recipes/{path.name}" for path in (ROOT / "recipes").glob("*.toml")}
    assert files | recipes | {"selfsent/py.typed"} <= names
