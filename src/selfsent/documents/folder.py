"""The files of a folder: links are followed once, and what is hidden or written by selfsent is left out."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfsent.documents.skipped import Reason, Skipped

_OURS: tuple[tuple[str, Callable[[set[str]], bool]], ...] = (
    ("a model", lambda names: bool(names & {"modules.json", "config_sentence_transformers.json"})),
    ("a store", lambda names: any(name.endswith(".lance") for name in names)),
    ("a run", lambda names: {"run.json", "metrics.jsonl"} <= names),
    ("a build", lambda names: {"report.json", "model", "store"} <= names),
)
"""What our own commands write, recognised by the names in a folder; not documents of a person."""


@dataclass(frozen=True)
class SourceFile:
    r"""A file of a source.

    Args:
        name: Its path in the source, with slashes; bytes that are not UTF-8 are written ``\xNN``.
        path: Where it is.
    """

    name: str
    path: Path


def shown(name: str | Path) -> str:
    """Write a path so that it can be printed and stored."""
    return os.fsencode(name).decode("utf-8", "backslashreplace").replace(os.sep, "/")


class Folder:
    """Walks over a folder; what it does not enter is in ``skipped`` and ``passed_over``.

    A file or folder that several links lead to is visited once, under its own name where it stands inside, so links in
    a circle end.

    Args:
        root: The folder.
        exclude: Files and folders to leave out, from where the program runs or from the root.
    """

    def __init__(self, root: Path, exclude: Sequence[str | Path] = ()) -> None:
        self._root = root
        places = (place / Path(path).expanduser() for path in exclude for place in (Path(), root))
        self._excluded = {os.path.realpath(place) for place in places}
        self._visited: set[tuple[int, int]] = set()
        self.skipped: list[Skipped] = []
        self.passed_over: list[str] = []

    def files(self) -> list[SourceFile]:
        """List the files in the order of their names, links behind what is really there."""
        links: list[Path] = []
        found = list(self._walk(self._root, links))
        while links:
            later: list[Path] = []
            for link in links:
                found.extend(self._follow(link, later))
            links = later
        return found

    def _follow(self, link: Path, links: list[Path]) -> Iterator[SourceFile]:
        if not link.exists():
            self._skip(link, "broken", "the link leads nowhere")
        elif link.is_dir():
            yield from self._walk(link, links)
        else:
            yield from self._new_file(link)

    def _walk(self, top: Path, links: list[Path]) -> Iterator[SourceFile]:
        folders = [top]
        while folders:
            inner: list[Path] = []
            for entry in self._entries(folders.pop()):
                path = Path(entry.path)
                if entry.is_symlink():
                    links.append(path)
                elif entry.is_dir():
                    inner.append(path)
                else:
                    yield from self._new_file(path)
            folders.extend(reversed(inner))

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """List what is to be looked at in a folder: nothing, if it was visited or is one of ours."""
        try:
            if not self._is_new(folder):
                return []
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except PermissionError:
            self._skip(folder, "no permission", "change its mode or its owner")
            return []
        except OSError as error:
            self._skip(folder, "changed while it was read", error.strerror or "")
            return []
        if folder != self._root and (ours := _made_by_us({entry.name for entry in entries})):
            self.passed_over.append(f"{self._shown(folder)} ({ours})")
            return []
        return [entry for entry in entries if not entry.name.startswith(".") and not self._is_excluded(entry)]

    def _is_excluded(self, entry: os.DirEntry[str]) -> bool:
        return bool(self._excluded) and os.path.realpath(entry.path) in self._excluded

    def _new_file(self, path: Path) -> Iterator[SourceFile]:
        try:
            if not path.is_file():
                self._skip(path, "unknown format", "it is not a regular file")
            elif self._is_new(path):
                yield SourceFile(self._shown(path), path)
        except OSError as error:
            self._skip(path, "changed while it was read", error.strerror or "")

    def _is_new(self, path: Path) -> bool:
        status = path.stat()
        key = status.st_dev, status.st_ino
        if key in self._visited:
            return False
        self._visited.add(key)
        return True

    def _shown(self, path: Path) -> str:
        return shown(path.relative_to(self._root))

    def _skip(self, path: Path, reason: Reason, detail: str) -> None:
        self.skipped.append(Skipped(file=self._shown(path), reason=reason, detail=detail))


def _made_by_us(names: set[str]) -> str:
    return next((what for what, holds in _OURS if holds(names)), "")
