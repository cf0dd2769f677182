"""Reading the docstrings of Python files with ``ast``: nothing is imported, so nothing is run.

``python -m selfsent.data.docstrings`` is the worker: it takes a JSON list of ``[file, module]`` on standard input and
prints ``{"docstrings": [[qualified name, [sentence, ...]], ...], "num_unreadable": N}``. A fresh interpreter, unlike a
forked or spawned one, neither inherits threads nor needs the caller's script to guard its main module.
"""

import ast
import gc
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from selfsent.data.prose import sentences_of

_NOT_PROSE_FOLDERS = frozenset({"test", "tests", "_tests", "_vendor", "__pycache__"})
_NUM_FILES_A_WORKER = 800
_MAX_FILE_BYTES = 2_000_000

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, kw_only=True)
class Docstring:
    """The prose of one docstring.

    Args:
        package: The top-level package it is part of (``torch``).
        qualified_name: Module, class and function (``torch.nn.modules.linear.Linear.forward``).
        sentences: At least one.
    """

    package: str
    qualified_name: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """What a set of folders holds.

    Args:
        docstrings: Those with at least one sentence of prose, in the order of their files.
        num_files: How many Python files were looked at.
        num_unreadable: How many of them did not parse.
    """

    docstrings: list[Docstring]
    num_files: int
    num_unreadable: int


def python_files(folder: Path) -> list[tuple[Path, str]]:
    """List the Python files below a folder of packages with their modules' names, without tests and vendored copies."""
    found: list[tuple[Path, str]] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _NOT_PROSE_FOLDERS and not name.startswith("."))
        relative = Path(parent).relative_to(folder)
        for name in sorted(files):
            if name.endswith(".py"):
                parts = [*relative.parts, *([] if name == "__init__.py" else [name.removesuffix(".py")])]
                found.append((Path(parent, name), ".".join(parts)))
    return found


def extract(folders: Sequence[Path], *, num_workers: int | None = None) -> Extraction:
    """Read the docstrings of every package in some folders, in parallel.

    Args:
        folders: Folders of packages, such as ``site-packages``.
        num_workers: Processes at once; default: the cores this process may use.

    Returns:
        The docstrings, in an order that depends on the files' names alone.
    """
    files = [(str(path), module) for folder in folders for path, module in python_files(folder)]
    chunks = [files[start : start + _NUM_FILES_A_WORKER] for start in range(0, len(files), _NUM_FILES_A_WORKER)]
    with ThreadPoolExecutor(max_workers=num_workers or _num_cores()) as pool:
        answers = list(_with_progress(pool.map(_run_worker, chunks), len(chunks)))
    found = [
        Docstring(package=name.partition(".")[0], qualified_name=name, sentences=tuple(sentences))
        for docstrings, _ in answers
        for name, sentences in docstrings
    ]
    return Extraction(docstrings=found, num_files=len(files), num_unreadable=sum(number for _, number in answers))


_Answer = tuple[list[tuple[str, list[str]]], int]


def _with_progress(answers: Iterator[_Answer], num_chunks: int) -> Iterator[_Answer]:
    from tqdm.auto import tqdm  # noqa: PLC0415 the worker starts faster without it

    yield from tqdm(answers, total=num_chunks, desc="reading docstrings", disable=None, leave=False)


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def _run_worker(files: list[tuple[str, str]]) -> _Answer:
    if not sys.executable:
        return extract_files(files)
    root = str(Path(__file__).parents[2])
    search_path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "selfsent.data.docstrings"],
        input=json.dumps(files),
        capture_output=True,
        encoding="utf8",
        env={**os.environ, "PYTHONPATH": search_path, "PYTHONUTF8": "1"},
        check=False,
    )
    if done.returncode != 0:  # a file on which the parser itself dies costs its chunk, never the corpus
        return [], len(files)
    answer = json.loads(done.stdout)
    return answer["docstrings"], answer["num_unreadable"]


def extract_files(files: Sequence[tuple[str, str]]) -> _Answer:
    """Read the docstrings of some files in this process.

    Args:
        files: Paths and the names of their modules.

    Returns:
        Qualified names with their sentences, and how many files could not be parsed.
    """
    found: list[tuple[str, list[str]]] = []
    num_unreadable = 0
    for path, module in files:
        try:
            found.extend(_docstrings_of(Path(path), module))
        except (SyntaxError, ValueError, RecursionError, MemoryError, OSError):
            num_unreadable += 1
    return found, num_unreadable


def _docstrings_of(path: Path, module: str) -> list[tuple[str, list[str]]]:
    if path.stat().st_size > _MAX_FILE_BYTES:  # generated tables: slow to parse, and no prose in them
        return []
    source = path.read_bytes()
    if b'"""' not in source and b"'''" not in source:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=SyntaxWarning)
        warnings.simplefilter("ignore", category=DeprecationWarning)
        tree = ast.parse(source)
    found = [(name, sentences_of(docstring)) for name, docstring in _documented(tree, module)]
    return [(name, sentences) for name, sentences in found if sentences]


def _documented(node: ast.Module | Definition, name: str) -> Iterator[tuple[str, str]]:
    docstring = ast.get_docstring(node, clean=False)
    if docstring:
        yield name, docstring
    for definition in _definitions(node.body):
        yield from _documented(definition, f"{name}.{definition.name}")


def _definitions(body: Sequence[ast.stmt]) -> Iterator[Definition]:
    """The definitions of a body, those under ``if``, ``try`` and ``with`` too."""
    for statement in body:
        if isinstance(statement, Definition):
            yield statement
        elif isinstance(statement, ast.If | ast.Try | ast.With):
            nested = [child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.stmt)]
            yield from _definitions(nested)


def _work() -> None:
    gc.disable()  # syntax trees hold no cycles, and collecting among their many nodes would cost half the time
    docstrings, num_unreadable = extract_files(json.load(sys.stdin))
    json.dump({"docstrings": docstrings, "num_unreadable": num_unreadable}, sys.stdout)


if __name__ == "__main__":
    _work()
