"""Training rows of documents: each is a passage of one document, from which views are drawn."""

from collections.abc import Iterable, Iterator

from selfsent.data.heldout import hash_of_text
from selfsent.data.seen_hashes import SeenHashes
from selfsent.documents.document import Document
from selfsent.documents.stretches import Stretch, stretches, windows
from selfsent.errors import UserError
from selfsent.views.document_views import SENTENCE_END

_MOSTLY = 0.8


class DocumentRows:
    """Rows of documents: ``title``, ``text`` (sentences separated by ``SENTENCE_END``) and ``label``, the document.

    Two views need two parts: a stretch of one sentence without a title is left out and counted. Where most are such,
    they are cut into windows instead (`windows`). Equal rows are kept once. Iterating reads the documents anew; hashes
    of the rows are held in memory (`SeenHashes`).

    Args:
        documents: What to read, as often as wanted.

    Raises:
        UserError: After a pass that found no row.
    """

    columns = ("title", "text", "label")

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = documents
        self._are_windows: bool | None = None
        self.num_rows = self.num_repeated = self.num_single = 0

    def __iter__(self) -> Iterator[dict[str, str | int]]:
        if self._are_windows is None:
            self._are_windows = mostly_single(stretches(self._documents))
        self.num_rows = self.num_repeated = self.num_single = 0
        seen = SeenHashes()
        for stretch in stretches(self._documents):
            row = self._row(windows(stretch) if self._are_windows else stretch)
            if row is None:
                self.num_single += 1
            elif seen.add_one(hash_of_text(f"{row['title']}{SENTENCE_END}{row['text']}")):
                self.num_rows += 1
                yield row
            else:
                self.num_repeated += 1
        if not self.num_rows:
            raise UserError(
                f"training on documents needs some with two sentences, or a title and a text, got {self.num_single:,}"
                " passages of one sentence; give longer documents, or train on texts (view=repeat)"
            )

    def _row(self, stretch: Stretch) -> dict[str, str | int] | None:
        if len(stretch.parts) == 1 or not stretch.sentences:
            return None
        return {"title": stretch.title, "text": SENTENCE_END.join(stretch.sentences), "label": stretch.document}

    def notes(self) -> list[str]:
        """Say what was kept and what was left out, after a pass."""
        parts = [f"{self.num_rows:,} passages of documents"]
        if self._are_windows:
            parts[0] += ", single sentences cut into windows"
        if self.num_repeated:
            parts.append(f"{self.num_repeated:,} repeated ones left out")
        if self.num_single:
            parts.append(f"{self.num_single:,} of one sentence, too short for two views, left out")
        return ["; ".join(parts)]


def mostly_single(found: Iterable[Stretch]) -> bool:
    """Tell whether more than four of five stretches have a single part."""
    num_single = num_stretches = 0
    for stretch in found:
        num_stretches += 1
        num_single += len(stretch.parts) == 1
    return is_mostly_single(num_single, num_stretches)


def is_mostly_single(num_single: int, num_stretches: int) -> bool:
    """Tell the same from counts."""
    return num_single > _MOSTLY * num_stretches
