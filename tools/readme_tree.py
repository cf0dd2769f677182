"""Write the tree of the repository: a line a folder into README.md, a line a file into docs/files.md.

``python -m tools.readme_tree`` writes both; ``--check`` writes nothing and exits with 1 where one is out of date. Every
line is the first line of a file's own docstring, a folder's that of its ``__init__``.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
FILES = ROOT / "docs" / "files.md"
BEGIN = "<!-- tree: written by `make format`, not by hand -->"
END = "<!-- /tree -->"
PACKAGE = ROOT / "src" / "selfsent"
COMMENT_COLUMN = 32
PIPELINE = (
    *("document_build", "document_report", "serving", "export", "documents", "data", "views", "parsing", "trees"),
    *("counts", "kernels", "modules", "losses", "training", "methods", "runs", "evaluation", "search", "runtime"),
    "drawing",
)
"""The folders in the order in which a text passes through them: the main job first, then its parts."""


def first_line(path: Path) -> str:
    """Give the first line of a module's docstring without its full stop; empty where it has none."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf8"))) or ""
    return docstring.partition("\n")[0].rstrip(".").replace("``", "")


def folders() -> Iterator[str]:
    """Yield a line for each folder of the package, in the order of the pipeline; one that it lacks comes last."""
    found = {path.name: path for path in sorted(PACKAGE.iterdir()) if (path / "__init__.py").is_file()}
    for name in sorted(found, key=lambda name: PIPELINE.index(name) if name in PIPELINE else len(PIPELINE)):
        yield _line(f"{name}/", first_line(found[name] / "__init__.py"), 0, 18)


def tree(folder: Path, depth: int = 0) -> Iterator[str]:
    """Yield a line for a folder of Python files, then lines for what is in it: files first, by name."""
    init = folder / "__init__.py"
    yield _line(f"{folder.name}/", first_line(init) if init.is_file() else "", depth)
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    for path in modules:
        yield _line(path.name, first_line(path), depth + 1)
    for inner in sorted(path for path in folder.iterdir() if (path / "__init__.py").is_file()):
        yield from tree(inner, depth + 1)


def _line(name: str, comment: str, depth: int, column: int = COMMENT_COLUMN) -> str:
    indented = "  " * depth + name
    return f"{indented:<{column}}  {comment}".rstrip()


def with_tree(text: str) -> str:
    """Give the README's text with the block between the markers brought up to date.

    Raises:
        SystemExit: The markers are not there, once each and in order.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"README.md needs the lines {BEGIN} and {END}, in this order")
    block = "\n".join(folders())
    return f"{head}{BEGIN}\n```text\n{block}\n```\n{END}{tail}"


def all_files() -> str:
    """Give the text of docs/files.md."""
    block = "\n".join(tree(PACKAGE))
    return f"# Every file, and what it is\n\nWritten by `make format`, not by hand.\n\n```text\n{block}\n```\n"


def main(arguments: list[str]) -> int:
    """Write the trees, or with ``--check`` only compare."""
    written = {README: with_tree(README.read_text("utf8")), FILES: all_files()}
    if arguments == ["--check"]:
        stale = [path for path, text in written.items() if not path.is_file() or path.read_text("utf8") != text]
        for path in stale:
            print(f"{path.name}: the tree is out of date; run `make format`", file=sys.stderr)
        return int(bool(stale))
    if arguments:
        print(f"unknown arguments {' '.join(arguments)}; there is only --check", file=sys.stderr)
        return 2
    for path, text in written.items():
        path.write_text(text, encoding="utf8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
