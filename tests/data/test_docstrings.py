from pathlib import Path

import pytest

from selfsent.data import docstrings
from selfsent.data.docstrings import extract, extract_files, python_files

MODULE = '''"""The module says a few words."""

raise RuntimeError("importing this file would fail")

class Animal:
    """An animal that eats and sleeps."""

    def eat(self):
        """Eat whatever stands on the table."""
        def inner():
            """An inner function has something to say."""

    async def sleep(self):
        """Sleep until the next morning comes."""

if True:
    def guarded():
        """A function that is under a condition."""
'''


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf8")
    return path


def test_every_definition_is_read_with_its_qualified_name_and_nothing_is_run(tmp_path: Path) -> None:
    write(tmp_path / "zoo" / "__init__.py", MODULE)
    found = extract([tmp_path])
    assert [
        (docstring.package, docstring.qualified_name, docstring.sentences[0]) for docstring in found.docstrings
    ] == [
        ("zoo", "zoo", "The module says a few words."),
        ("zoo", "zoo.Animal", "An animal that eats and sleeps."),
        ("zoo", "zoo.Animal.eat", "Eat whatever stands on the table."),
        ("zoo", "zoo.Animal.eat.inner", "An inner function has something to say."),
        ("zoo", "zoo.Animal.sleep", "Sleep until the next morning comes."),
        ("zoo", "zoo.guarded", "A function that is under a condition."),
    ]


def test_tests_hidden_and_vendored_folders_are_left_out(tmp_path: Path) -> None:
    for name in ("a/b.py", "a/tests/c.py", "a/_vendor/d.py", "a/.hidden/e.py", "a/data.txt", "single.py"):
        write(tmp_path / name, "")
    assert [module for _, module in python_files(tmp_path)] == ["single", "a.b"]


@pytest.mark.parametrize("content", ['def f(:\n    """Broken."""', '"""NUL \0 byte"""', "(" * 5000 + '"""'])
def test_a_file_that_does_not_parse_is_counted_and_costs_no_other(tmp_path: Path, content: str) -> None:
    files = [
        (str(write(tmp_path / "bad.py", content)), "bad"),
        (str(write(tmp_path / "good.py", '"""The good file is read."""')), "good"),
        (str(tmp_path / "vanished.py"), "vanished"),
    ]
    assert extract_files(files) == ([("good", ["The good file is read."])], 2)


def test_the_order_does_not_depend_on_the_number_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        write(tmp_path / f"m{number}.py", f'"""This is module number {number}."""')
    whole = extract([tmp_path], num_workers=1)
    monkeypatch.setattr(docstrings, "_NUM_FILES_A_WORKER", 2)
    assert extract([tmp_path], num_workers=3) == whole
    assert whole.num_files == 7


def test_a_worker_that_dies_costs_its_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "m.py", '"""This is a small module."""')
    monkeypatch.setattr(docstrings.sys, "executable", "/bin/false")
    found = extract([tmp_path])
    assert (found.docstrings, found.num_unreadable) == ([], 1)
