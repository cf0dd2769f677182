"""Write ``src/selfsent/runs/train_options.py``: the keywords of ``selfsent.train``, for editors and type checkers.

``python -m tools.option_types`` writes it; ``--check`` writes nothing and exits with 1 where it is out of date. A key
is a field of `selfsent.training.run.RunOptions` or an option of a method; where methods give one name several types,
the key has them all.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from selfsent.methods import METHODS
from selfsent.options import describe, names_of
from selfsent.training.run import RunOptions

FILE = Path(__file__).resolve().parents[1] / "src" / "selfsent" / "runs" / "train_options.py"
GIVEN = {"data", "output"}
WIDTH = 120
HEAD = '''"""What ``selfsent.train`` takes as keywords; written by ``python -m tools.option_types``, not by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict


class TrainOptions(TypedDict, total=False):
    """Options of ``train``: those of a run, then those of the methods, which `selfsent methods NAME` describes."""

    settings: Mapping[str, Any]
    preset: Literal["paper", "released"]
'''


def text() -> str:
    """Give the content of the file."""
    kinds: dict[str, list[Any]] = {}
    for config in (RunOptions, *(method.config for method in METHODS.values())):
        for one in describe(config):
            if one.name not in GIVEN:
                kinds.setdefault(one.name, []).append(
                    Literal[one.choices] if one.choices and not one.joined else one.kind
                )
    keys = "".join(_line(name, _written(types)) for name, types in kinds.items())
    return f'{HEAD}{keys}\n\n{_of_methods()}"""Names of the options of each method, with spaces between them."""\n'


def _line(name: str, kind: str) -> str:
    """Write one key as ruff formats it."""
    line = f"    {name}: {kind}\n"
    if len(line) <= WIDTH + 1:
        return line
    head, _, rest = kind.partition("[")
    inner, _, tail = rest.rpartition("]")
    if len(inner) > WIDTH - 8:
        inner = inner.replace(", ", ",\n        ") + ","
    return f"    {name}: {head}[\n        {inner}\n    ]{tail}\n"


def _of_methods() -> str:
    """Write the names of each method's options, as the shell completes them."""
    rows = [
        f'    "{name}": """\n{fill(" ".join(names_of(one.config)), WIDTH)}\n""",\n' for name, one in METHODS.items()
    ]
    return f"OPTIONS_OF: Mapping[str, str] = {{\n{''.join(rows)}}}\n"


def _written(kinds: Sequence[Any]) -> str:
    """Write the union of some types: every one once, choices together, None last."""
    parts = [part for kind in kinds for part in (get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,))]
    choices = dict.fromkeys(value for part in parts if get_origin(part) is Literal for value in get_args(part))
    names = dict.fromkeys(_name(part) for part in parts if get_origin(part) is not Literal and part is not NoneType)
    quoted = ", ".join(f'"{value}"' for value in choices)
    listed = [f"Literal[{quoted}]"] if choices and "str" not in names else []
    return " | ".join([*listed, *names, *(["None"] if NoneType in parts else [])])


def _name(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return _written([kind])
    if kind is Any:
        return "Any"
    if origin is None:
        return kind.__name__
    return f"{origin.__name__}[{', '.join(map(_name, arguments))}]"


def main() -> None:
    """Write the file, or check it."""
    written = text()
    is_current = FILE.is_file() and FILE.read_text("utf8") == written
    if "--check" in sys.argv[1:]:
        if not is_current:
            raise SystemExit(f"{FILE} is out of date; write it with: python -m tools.option_types")
    elif not is_current:
        FILE.write_text(written, "utf8")


if __name__ == "__main__":
    main()
