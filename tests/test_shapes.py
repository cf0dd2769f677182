"""The legend of axes against the shape annotations of the whole package."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from selfsent import shapes

PACKAGE = Path(shapes.__file__).parent
ARRAYS = {"Float", "Int", "Bool", "Num", "Shaped"}


def annotations() -> Iterator[str]:
    """The shapes that stand in the annotations of all files."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf8"))):
            if isinstance(node, ast.Subscript) and getattr(node.value, "id", "") in ARRAYS:
                shape = node.slice.elts[-1] if isinstance(node.slice, ast.Tuple) else node.slice
                if isinstance(shape, ast.Constant) and isinstance(shape.value, str):
                    yield shape.value


def test_every_axis_letter_is_in_the_legend_and_every_letter_of_the_legend_is_used() -> None:
    axes = {axis.lstrip("*").rstrip("12") for shape in annotations() for axis in shape.split()}
    letters = {axis for axis in axes if re.fullmatch(r"[A-Z]", axis)}
    assert letters == set(re.findall(r"^``(\w)``", shapes.__doc__ or "", re.MULTILINE))
