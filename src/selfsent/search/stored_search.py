"""What a store records of how it is searched: the analysis of its words, its weights, and the sources it holds."""

import dataclasses
import json
from dataclasses import dataclass, replace
from typing import Any

from selfsent.search.store_place import is_remote
from selfsent.search.stored_model import relative_place

MEASURE_AGAIN = 0.2
"""Share of a store's rows that are new or gone after which its figures are measured again."""

MIN_ROWS = 200
"""A store of fewer passages hides no answer, however weak."""


@dataclass(frozen=True, kw_only=True)
class StoredSource:
    """A source whose texts a store holds.

    Args:
        key: Names it in the column ``sources``.
        spec: What the user named.
        path: Absolute path of a local source ...
        relative: ... and where it is as seen from a local store, so that the two can be moved together.
    """

    key: str
    spec: str
    path: str | None = None
    relative: str | None = None

    def is_same(self, other: "StoredSource") -> bool:
        """Whether both name the same place."""
        if self.path is None or other.path is None:
            return self.path == other.path and self.spec == other.spec
        return self.path == other.path or (self.relative is not None and self.relative == other.relative)


@dataclass(frozen=True, kw_only=True)
class StoredSearch:
    """How a store is searched.

    Args:
        analysis: What ``selfsent.words.Analyser.to_json`` wrote; None in stores of earlier versions.
        fusion_weight: Weight of the cosines in hybrid search, in [0, 1]; None for the default.
        weak_below: Cosine below which an answer without a word of the query is hidden; None where none was measured.
        measured_rows: Rows of the store when that level, and ``int8_recall``, were measured.
        int8_recall: Recall@10 of the store's int8 vectors against float32; None where it holds float32.
        probes: Cells of the approximate index that a search looks into; None without such an index ...
        index_recall: ... the recall@10 that they gave against exact search when it was measured ...
        indexed_rows: ... and the rows of the store then.
        sources: The sources it holds.
    """

    analysis: str | None = None
    fusion_weight: float | None = None
    weak_below: float | None = None
    measured_rows: int = 0
    int8_recall: float | None = None
    probes: int | None = None
    index_recall: float | None = None
    indexed_rows: int = 0
    sources: tuple[StoredSource, ...] = ()

    def to_json(self) -> str:
        """Write the record as one JSON object."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "StoredSearch":
        """Read what ``to_json`` wrote, or a later version: what is not known here is left out."""
        values: dict[str, Any] = json.loads(text)
        values["sources"] = tuple(StoredSource(**source) for source in values.get("sources", ()))
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})

    def level_for(self, num_rows: int) -> float | None:
        """The cosine below which answers are weak in a store of a size; None hides nothing."""
        return self.weak_below if num_rows >= MIN_ROWS else None

    def with_source(self, spec: str, store: str) -> tuple["StoredSearch", str]:
        """Add a source, unless it is there.

        Args:
            spec: What the user named.
            store: The store's folder or URI.

        Returns:
            The record that holds it, and its key.
        """
        source = _source(spec, store, str(len(self.sources)))
        for known in self.sources:
            if known.is_same(source):
                return self, known.key
        return replace(self, sources=(*self.sources, source)), source.key


def _source(spec: str, store: str, key: str) -> StoredSource:
    from selfsent.data.source_files import expanded  # noqa: PLC0415 it imports what a search does not need

    place = expanded(spec)
    if not place.exists():
        return StoredSource(key=key, spec=spec)
    path = place.resolve()
    relative = None if is_remote(store) else relative_place(path, store)
    return StoredSource(key=key, spec=spec, path=str(path), relative=relative)
