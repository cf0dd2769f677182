"""Write the tree of the repository into README.md, each file with the first line of its own docstring.

``python -m tools.readme_tree`` writes the block between the markers; ``--check`` writes nothing and exits with 1 where
the block is out of date.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BEGIN = "<!-- tree: written by `make format`, not by hand -->"
END = "<!-- /tree -->"
PACKAGE = ROOT / "src" / "selfsent"
COMMENT_COLUMN = 32


def first_line(path: Path) -> str:
    """Give the first line of a module's docstring without its full stop; empty where it has none."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf8"))) or ""
    return docstring.partition("\n")[0].rstrip(".").replace("``", "")


def tree(folder: Path, depth: int = 0) -> Iterator[str]:
    """Yield a line for a folder of Python files, then lines for what is in it: files first, by name."""
    init = folder / "__init__.py"
    yield _line(f"{folder.name}/", first_line(init) if init.is_file() else "", depth)
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    for path in modules:
        yield _line(path.name, first_line(path), depth + 1)
    for inner in sorted(path for path in folder.iterdir() if (path / "__init__.py").is_file()):
        yield from tree(inner, depth + 1)


def _line(name: str, comment: str, depth: int) -> str:
    indented = "  " * depth + name
    return f"{indented:<{COMMENT_COLUMN}}  {comment}".rstrip()


def with_tree(text: str) -> str:
    """Give the README's text with the block between the markers brought up to date.

    Raises:
        SystemExit: The markers are not there, once each and in order.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"README.md needs the lines {BEGIN} and {END}, in this order")
    block = "\n".join(tree(PACKAGE))
    return f"{head}{BEGIN}\n```text\n{block}\n```\n{END}{tail}"


def main(arguments: list[str]) -> int:
    """Write the tree, or with ``--check`` only compare."""
    text = README.read_text("utf8")
    current = with_tree(text)
    if arguments == ["--check"]:
        if text != current:
            print("README.md: the tree is out of date; run `make format`", file=sys.stderr)
        return int(text != current)
    if arguments:
        print(f"unknown arguments {' '.join(arguments)}; there is only --check", file=sys.stderr)
        return 2
    README.write_text(current, encoding="utf8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
