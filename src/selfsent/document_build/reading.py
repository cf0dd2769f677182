"""The first stage of a build: read the documents once, keep them, and tell what has changed since the last build."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from selfsent.atomic import write_text
from selfsent.document_build.build_folder import BuildFolder
from selfsent.documents.corpus_file import CorpusFile, is_corpus_file, write_corpus
from selfsent.documents.document import Document
from selfsent.documents.documents import Documents
from selfsent.documents.skipped import Skipped, is_in, unread_files

_FILES_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Read:
    """What was read.

    Args:
        corpus: The documents.
        num_words: Words of all texts.
        content_hash: Hash of the ids and contents of all documents, in any order.
        changes: How many are new, updated, removed and unchanged since the last build that came to its end.
        skipped: By reason: how many files, and the first of them.
        unread: All of these files.
        notes: What a person should be told.
    """

    corpus: CorpusFile
    num_words: int
    content_hash: str
    changes: dict[str, int]
    skipped: dict[str, dict[str, Any]]
    unread: list[Skipped]
    notes: list[str]


def read(documents: Documents, folder: BuildFolder) -> Read:
    """Read all documents into the folder; an earlier corpus is replaced when all are read.

    Raises:
        UserError: No document can be read, or the folder cannot be written to.
    """
    before = _before(folder)
    folder.work.mkdir(parents=True, exist_ok=True)
    counted = _Counted(documents)
    corpus = write_corpus(counted, folder.documents)
    _write_skipped(documents.skipped, folder.skipped)
    return Read(
        corpus=corpus,
        num_words=counted.num_words,
        content_hash=hashlib.sha256(json.dumps(sorted(counted.contents.items())).encode()).hexdigest()[:16],
        changes=_changes(before, counted.contents, documents.skipped),
        skipped=_by_reason(documents.skipped),
        unread=documents.skipped,
        notes=documents.closing_notes(),
    )


class _Former(NamedTuple):
    """The content and the file of a document of the last build."""

    content_hash: int
    file: str | None


class _Counted:
    """Documents that are counted while they are read."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = documents
        self.contents: dict[str, int] = {}
        self.num_words = 0

    def __iter__(self) -> Iterator[Document]:
        for document in self._documents:
            self.contents[document.id] = document.content_hash
            self.num_words += len(document.text.split())
            yield document


def _before(folder: BuildFolder) -> dict[str, _Former]:
    """What the last build that came to its end had; one of an earlier version kept only what it had read."""
    former = folder.reported
    if not is_corpus_file(former) and folder.report_json.is_file():
        former = folder.documents
    return (
        {document.id: _Former(document.content_hash, document.file) for document in CorpusFile(former)}
        if is_corpus_file(former)
        else {}
    )


def _changes(before: Mapping[str, _Former], now: Mapping[str, int], skipped: Sequence[Skipped]) -> dict[str, int]:
    """Count what is new and so on, and what is kept although its file cannot be read now."""
    both = before.keys() & now.keys()
    updated = sum(before[name].content_hash != now[name] for name in both)
    unread = unread_files(skipped)
    kept = sum(is_in(before[name].file, unread) for name in before.keys() - now.keys())
    changes = {
        "new": len(now) - len(both),
        "updated": updated,
        "removed": len(before) - len(both) - kept,
        "unchanged": len(both) - updated,
    }
    return changes | ({"kept, since unreadable now": kept} if kept else {})


def _by_reason(skipped: Sequence[Skipped]) -> dict[str, dict[str, Any]]:
    files: dict[str, list[str]] = defaultdict(list)
    for one in skipped:
        files[one.reason].append(one.file)
    return {reason: {"count": len(names), "files": names[:_FILES_NAMED]} for reason, names in files.items()}


def _write_skipped(skipped: Sequence[Skipped], path: Path) -> None:
    write_text(path, "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in skipped))
