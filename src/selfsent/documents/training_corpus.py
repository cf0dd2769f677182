"""The documents that a training learns from, written to disk once, and their texts as a source."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from selfsent.data.bad_rows import BadRows
from selfsent.data.columns import Row
from selfsent.data.source import Source
from selfsent.documents.corpus_file import CorpusFile, is_corpus_file, write_corpus
from selfsent.documents.document import Document
from selfsent.documents.documents import Documents
from selfsent.documents.text_rows import text_rows


@dataclass(frozen=True, kw_only=True)
class TrainingCorpus:
    """Documents to learn from.

    Args:
        documents: Read as often as wanted.
        num_documents: How many there are.
        notes: What the user should be told about what was read.
    """

    documents: Iterable[Document]
    num_documents: int
    notes: list[str] = field(default_factory=list[str])

    def source(self, spec: str) -> Source:
        """Give titles and texts as a source: one text a document, without blocks of code.

        Args:
            spec: What the user named.
        """

        def read(_: BadRows) -> Iterator[Row]:
            for document in self.documents:
                text = "\n".join(part for part in (document.title, document.prose().text) if part)
                if text:
                    yield {"text": text, "file": document.file or "", "line": document.line or 0}

        return Source(
            spec=spec, columns=("text",), provenance_columns=("file", "line"), read=read, notes=list(self.notes)
        )

    def sentences(self, spec: str, *, max_rows: int | None = None) -> Source:
        """Give the sentences of passages as a source, for methods that learn from single texts; see `text_rows`.

        Args:
            spec: What the user named.
            max_rows: Sentences to read, at most.
        """
        return Source(
            spec=spec,
            columns=("text",),
            provenance_columns=("file", "line"),
            read=lambda _: text_rows(self.documents),
            notes=list(self.notes),
            max_rows=max_rows,
        )


def training_corpus(documents: Documents, folder: Path) -> TrainingCorpus:
    """Read documents once and keep them on disk, so that no file is parsed again for each pass over them.

    Args:
        documents: What to read; a corpus file is taken as it is.
        folder: Where the corpus file goes.
    """
    path = Path(documents.spec).expanduser()
    if is_corpus_file(path) and documents.max_rows is None:
        corpus = CorpusFile(path)
        return TrainingCorpus(documents=corpus, num_documents=len(corpus))
    corpus = write_corpus(documents, folder / "documents.parquet")
    return TrainingCorpus(documents=corpus, num_documents=len(corpus), notes=reading_notes(documents))


def reading_notes(documents: Documents) -> list[str]:
    """Say what a person should be told of documents that have been read."""
    notes = documents.closing_notes()
    if documents.skipped:
        first, number = documents.skipped[0], len(documents.skipped)
        files = "file" if number == 1 else "files"
        notes.append(f"{number:,} {files} not read, the first: {first.file} ({first.reason})")
    return notes
