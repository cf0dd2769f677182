"""Answers of a search, as values, as JSON, and as lines for other programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from selfsent.printed_text import visible
from selfsent.search.marks import Match


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One answer to a query: a document, with the passage of it that answers best.

    Args:
        rank: Its place, from 1.
        score: The cosine (mode ``vector``), the BM25 score (``text``) or both, fused (``hybrid``).
        text: The passage.
        id: Its id in the store.
        provenance: Where it came from: ``file``, ``line`` and ``page``, or ``package`` and ``qualified_name``.
        document: Id of the document; for a text that is a row of its own, its place or its id.
        title: Title of the document, or nothing.
        start: Offset of the passage in the text of the document ...
        end: ... and of the character behind it; None in a store of an earlier version.
        matches: Parts of the passage that match the query.
        kept: Values of the columns that ``index --keep`` kept.
    """

    rank: int
    score: float
    text: str
    id: str
    provenance: Mapping[str, str | int]
    document: str = ""
    title: str = ""
    start: int = 0
    end: int | None = None
    matches: tuple[Match, ...] = ()
    kept: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def place(self) -> str:
        """Where it came from, in short: file with line or page, or the qualified name."""
        if "file" not in self.provenance:
            # A qualified name usually begins with its package.
            return str(self.provenance.get("qualified_name", self.provenance.get("package", self.document)))
        page = f" p. {self.provenance['page']}" if "page" in self.provenance else ""
        line = f":{self.provenance['line']}" if "line" in self.provenance else page
        return f"{self.provenance['file']}{line}"

    def to_json(self) -> dict[str, Any]:
        """Give the values that ``search --json`` prints, and the service answers."""
        return {
            "rank": self.rank,
            "score": self.score,
            "document": self.document,
            "title": self.title,
            "file": self.provenance.get("file"),
            "start": self.start,
            "end": self.start + len(self.text) if self.end is None else self.end,
            "text": self.text,
            "matches": [asdict(match) for match in self.matches],
        }

    def line(self) -> str:
        """Write the answer on one line: ``path:line: text``."""
        name = self.provenance.get("file") or self.document or self.id
        where = self.provenance.get("line") or self.title
        place = f"{name}:{where}" if where else str(name)
        return visible(f"{place}: {' '.join(self.text.split()) or self.title}")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a search found.

    Args:
        hits: The answers, best first.
        hidden: How many weak answers among the best are not shown.
    """

    hits: Sequence[Hit]
    hidden: int = 0

    def to_json(self) -> dict[str, Any]:
        """Give the values that ``search --json`` prints."""
        return {"hits": [hit.to_json() for hit in self.hits], "hidden": self.hidden}
