"""What a training takes from documents: rows that views are drawn from, each a stretch of one document."""

from collections.abc import Callable, Iterable, Iterator

from selfsent.data.heldout import hash_of_text
from selfsent.documents.document import Document
from selfsent.documents.passages import passages
from selfsent.documents.sentences import sentences
from selfsent.errors import UserError
from selfsent.views.document_views import SENTENCE_END

ROW_WORDS = 400
"""Words of a row, at most: a longer document becomes several rows with one label."""

_LEAST_WORDS = 8


class DocumentRows:
    """Rows of documents: ``title``, ``text`` (sentences separated by ``SENTENCE_END``) and ``label``, the document.

    Blocks of code are left out. A stretch of one sentence is cut in two halves where it has eight words or more, since
    two views need two parts; a shorter one without a title cannot be trained on and is counted. Equal rows are kept
    once. Iterating reads the documents anew; 8 bytes a row are held in memory.

    Args:
        documents: What to read, such as ``open_documents`` gives.
        keep: Tells whether a document is trained on; ``None`` takes all.

    Raises:
        UserError: After a pass that found no row.
    """

    columns = ("title", "text", "label")

    def __init__(self, documents: Iterable[Document], *, keep: Callable[[Document], bool] | None = None) -> None:
        self._documents, self._keep = documents, keep
        self.num_documents = self.num_left_out = self.num_rows = self.num_repeated = self.num_short = 0

    def __iter__(self) -> Iterator[dict[str, str | int]]:
        self.num_documents = self.num_left_out = self.num_rows = self.num_repeated = self.num_short = 0
        seen: set[int] = set()
        for number, document in enumerate(self._documents):
            if self._keep is not None and not self._keep(document):
                self.num_left_out += 1
                continue
            self.num_documents += 1
            for text in _stretches(document.prose(), bool(document.title)):
                key = hash_of_text(f"{document.title}{SENTENCE_END}{text}")
                if not text:
                    self.num_short += 1
                elif key in seen:
                    self.num_repeated += 1
                else:
                    seen.add(key)
                    self.num_rows += 1
                    yield {"title": document.title, "text": text, "label": number}
        if not self.num_rows:
            raise UserError(
                f"the source holds {self.num_documents:,} documents and none with two sentences, or a title and a text;"
                " give longer documents"
            )

    def notes(self) -> list[str]:
        """Say what was kept and what was left out, after a pass."""
        parts = [f"{self.num_rows:,} stretches of {self.num_documents:,} documents"]
        if self.num_left_out:
            parts.append(f"{self.num_left_out:,} documents held out")
        if self.num_repeated:
            parts.append(f"{self.num_repeated:,} repeated stretches left out")
        if self.num_short:
            parts.append(f"{self.num_short:,} stretches too short for two views left out")
        return ["; ".join(parts)]


def _stretches(document: Document, has_title: bool) -> Iterator[str]:
    """Cut a document into stretches of sentences; an empty text stands for one that is too short."""
    for passage in passages(document, max_tokens=ROW_WORDS, count_tokens=_count_words):
        found = [" ".join(passage.text[start:end].split()) for start, end in sentences(passage.text)]
        if len(found) == 1 and not has_title:
            found = _halves(found[0])
        yield SENTENCE_END.join(found) if len(found) > 1 or (found and has_title) else ""


def _halves(sentence: str) -> list[str]:
    words = sentence.split()
    if len(words) < _LEAST_WORDS:
        return []
    middle = len(words) // 2
    return [" ".join(words[:middle]), " ".join(words[middle:])]


def _count_words(text: str) -> int:
    return len(text.split())
