"""The first stage of a build: read the documents once, keep them, and tell what has changed since the last build."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from selfsent.atomic import write_text
from selfsent.document_build.build_folder import BuildFolder
from selfsent.documents.corpus_file import CorpusFile, is_corpus_file, write_corpus
from selfsent.documents.document import Document
from selfsent.documents.documents import Documents
from selfsent.documents.skipped import Skipped

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
    """Read all documents into the folder; what stood there before is replaced when all are read.

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
        changes=_changes(before, counted.contents),
        skipped=_by_reason(documents.skipped),
        unread=documents.skipped,
        notes=documents.closing_notes(),
    )


class _Counted:
    """Documents that are counted on their way."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = documents
        self.contents: dict[str, int] = {}
        self.num_words = 0

    def __iter__(self) -> Iterator[Document]:
        for document in self._documents:
            self.contents[document.id] = document.content_hash
            self.num_words += len(document.text.split())
            yield document


def _before(folder: BuildFolder) -> dict[str, int]:
    """What the last build that came to its end had; one of an earlier version kept only what it had read."""
    former = folder.reported
    if not is_corpus_file(former) and folder.report_json.is_file():
        former = folder.documents
    return _contents(CorpusFile(former)) if is_corpus_file(former) else {}


def _contents(documents: Iterable[Document]) -> dict[str, int]:
    return {document.id: document.content_hash for document in documents}


def _changes(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    both = before.keys() & now.keys()
    updated = sum(before[name] != now[name] for name in both)
    return {
        "new": len(now) - len(both),
        "updated": updated,
        "removed": len(before) - len(both),
        "unchanged": len(both) - updated,
    }


def _by_reason(skipped: Sequence[Skipped]) -> dict[str, dict[str, Any]]:
    files: dict[str, list[str]] = defaultdict(list)
    for one in skipped:
        files[one.reason].append(one.file)
    return {reason: {"count": len(names), "files": names[:_FILES_NAMED]} for reason, names in files.items()}


def _write_skipped(skipped: Sequence[Skipped], path: Path) -> None:
    write_text(path, "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in skipped))
