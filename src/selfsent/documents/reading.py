"""What one pass over a source found: counts, notes, and what could not be read."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tqdm.auto import tqdm

from selfsent.data.bad_rows import BadRows, OnBadRow
from selfsent.data.seen_hashes import SeenHashes
from selfsent.documents.skipped import Reason, Skipped

_NUM_NAMED = 5


class Reading:
    """One pass over a source.

    Args:
        on_bad_row: What it does with rows of tables that cannot be used.
    """

    def __init__(self, *, on_bad_row: OnBadRow) -> None:
        self.bad_rows = BadRows(on_bad_row=on_bad_row)
        self.num_files = 0
        self.num_documents = 0
        self.skipped: list[Skipped] = []
        self._notes: dict[str, None] = {}
        self._noted: dict[str, list[str]] = {}
        self._ids = SeenHashes()
        self._num_repetitions: Counter[int] = Counter()

    def unique(self, id_: str) -> str:
        """Make an id unique in the pass: the id itself, or with a number behind it.

        For ids of the source. Those made of a file's path and a line differ by themselves; remembering as many ids
        as a text file has lines would take the memory that reading them one by one saves.
        """
        key = int.from_bytes(hashlib.blake2b(id_.encode("utf8", "surrogatepass"), digest_size=8).digest())
        if self._ids.add_one(key):
            return id_
        self._num_repetitions[key] += 1
        return self.unique(f"{id_}#{self._num_repetitions[key] + 1}")

    def add(self, other: "Reading") -> None:
        """Take in what another reader found in its part of the source."""
        self.bad_rows.add(other.bad_rows)
        self.num_files += other.num_files
        self.num_documents += other.num_documents
        self.skipped.extend(other.skipped)
        self.add_notes(other._notes)  # noqa: SLF001 of the same class
        for what, files in other._noted.items():  # noqa: SLF001
            self._noted.setdefault(what, []).extend(files)

    def skip(self, file: str, reason: Reason, detail: str = "") -> None:
        """Count a file that is not read."""
        self.skipped.append(Skipped(file=file, reason=reason, detail=detail))

    def add_notes(self, notes: Iterable[str]) -> None:
        """Say something once."""
        self._notes.update(dict.fromkeys(notes))

    def note_file(self, what: str, file: str) -> None:
        """Say something of a file; what is said of many files is said once, with the names of the first."""
        self._noted.setdefault(what, []).append(file)

    def notes(self) -> list[str]:
        """What the user should be told of the pass so far."""
        return [*self._notes, *(f"{what}: {_few(files)}" for what, files in self._noted.items())]

    def progress(self, num_files: int | None) -> "tqdm[Any]":
        """Make the bar: it counts files, or documents where there are no files."""
        unit = " documents" if num_files is None else " files"
        return tqdm(desc="reading", total=num_files, unit=unit, disable=None, leave=False)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NUM_NAMED:,} more" if len(names) > _NUM_NAMED else ""
    return ", ".join(names[:_NUM_NAMED]) + more
