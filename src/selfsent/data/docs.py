"""The embedded corpus ``docs:``: the docstrings of the installed packages, with a stable held-out part.

It is real English that is on every machine that can run this package. A docstring as a whole is held out or not, by a
hash of its own text, so the same docstring is held out everywhere and always; no sentence of a held-out docstring, nor
a copy of one, is in the training part.
"""

import hashlib
import importlib.metadata
import json
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from selfsent.atomic import atomic_path
from selfsent.data.cache_folder import cache_folder
from selfsent.data.docstrings import Docstring, Extraction, extract
from selfsent.data.heldout import hash_of_text
from selfsent.errors import UserError

Part = Literal["all", "train", "heldout"]

PROVENANCE_COLUMNS = ("package", "qualified_name")
HELDOUT_SHARE = 0.05
FORMAT_VERSION = 1
"""Part of the cache's key: goes up whenever what is extracted changes."""

_MIN_DOCUMENT_WORDS = 6


@dataclass(frozen=True, kw_only=True)
class RetrievalItem:
    """One query of the retrieval task and its only right answer.

    Args:
        query: First sentence of a held-out docstring.
        document: The rest of it.
        package: Top-level package of the docstring ...
        qualified_name: ... and module, class and function.
    """

    query: str
    document: str
    package: str
    qualified_name: str


@dataclass(frozen=True, kw_only=True)
class DocstringCorpus:
    """Docstrings of the installed packages, without duplicates.

    Args:
        docstrings: In the order of their files.
        notes: What the user should be told once.
    """

    docstrings: Sequence[Docstring]
    notes: Sequence[str] = field(default=())

    def sentences(self, part: Part) -> Iterator[dict[str, str]]:
        """Yield the sentences of a part, each text once, in order.

        Args:
            part: ``train``, ``heldout``, or ``all`` of both.

        Yields:
            Rows of ``text``, ``package`` and ``qualified_name``.
        """
        heldout = self._heldout_sentences()
        seen: set[int] = set()
        for docstring in self.docstrings:
            for sentence in docstring.sentences:
                digest = hash_of_text(sentence)
                if (
                    digest in seen
                    or (part == "train" and digest in heldout)
                    or (part == "heldout" and digest not in heldout)
                ):
                    continue
                seen.add(digest)
                yield {"text": sentence, "package": docstring.package, "qualified_name": docstring.qualified_name}

    def heldout_retrieval(self, *, max_queries: int | None = 2000) -> list[RetrievalItem]:
        """Make the retrieval task: the first sentence of a held-out docstring finds the rest of it.

        Args:
            max_queries: At most so many; which ones is decided by their hashes, so it is stable. ``None`` gives all.

        Returns:
            Items in a fixed order. No two share a query or a document, and no query is part of its document.
        """
        items: dict[int, RetrievalItem] = {}
        documents: set[int] = set()
        for docstring in self.docstrings:
            query, document = docstring.sentences[0], " ".join(docstring.sentences[1:])
            keys = hash_of_text(query), hash_of_text(document)
            usable = len(document.split()) >= _MIN_DOCUMENT_WORDS and query not in document
            if usable and is_heldout(docstring) and keys[0] not in items and keys[1] not in documents:
                documents.add(keys[1])
                items[keys[0]] = RetrievalItem(
                    query=query,
                    document=document,
                    package=docstring.package,
                    qualified_name=docstring.qualified_name,
                )
        return [items[key] for key in sorted(items)][:max_queries]

    def _heldout_sentences(self) -> set[int]:
        return {
            hash_of_text(sentence)
            for docstring in self.docstrings
            if is_heldout(docstring)
            for sentence in docstring.sentences
        }


def is_heldout(docstring: Docstring) -> bool:
    """Tell whether a docstring is held out: by its text alone, about one in twenty."""
    return hash_of_text("\n".join(docstring.sentences)) < HELDOUT_SHARE * 2**64


def open_docstrings(folders: Sequence[Path] | None = None, *, cache_dir: Path | None = None) -> DocstringCorpus:
    """Read the docstrings of the installed packages; from the second time on, from a cache.

    Args:
        folders: Folders of packages; default: the site-packages of this interpreter.
        cache_dir: Where the extract is kept, keyed by the names and versions of the packages; default:
            ``$XDG_CACHE_HOME/selfsent``, or ``~/.cache/selfsent``. It works without where there is no home folder or
            it cannot be written.

    Returns:
        The corpus.

    Raises:
        UserError: No package with docstrings is installed.
    """
    folders = package_folders() if folders is None else folders
    extraction = _extraction(folders, cache_folder() if cache_dir is None else cache_dir)
    if not extraction.docstrings:
        places = ", ".join(str(folder) for folder in folders) or "no folder"
        raise UserError(
            f"docs: is empty: no docstring in the {extraction.num_files} Python files of {places}; name a file"
        )
    unreadable = f"docs: left out {extraction.num_unreadable} Python files that do not parse"
    return DocstringCorpus(
        docstrings=_without_duplicates(extraction.docstrings),
        notes=[unreadable] if extraction.num_unreadable else [],
    )


def _extraction(folders: Sequence[Path], cache_dir: Path | None) -> Extraction:
    """Return the docstrings of the folders, from the cache where there is one."""
    if cache_dir is None:
        return extract(folders)
    path = _cache_path(folders, cache_dir)
    cached = _read_cache(path)
    if cached is not None:
        return cached
    extraction = extract(folders)
    _write_cache(path, extraction)
    return extraction


def package_folders() -> list[Path]:
    """List the folders this interpreter imports installed packages from."""
    names = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    names += [name for name in sys.path if name.endswith(("site-packages", "dist-packages"))]
    folders = dict.fromkeys(Path(name).resolve() for name in names)
    return [folder for folder in folders if folder.is_dir()]


def _without_duplicates(docstrings: Sequence[Docstring]) -> list[Docstring]:
    unique: dict[int, Docstring] = {}
    for docstring in docstrings:
        unique.setdefault(hash_of_text("\n".join(docstring.sentences)), docstring)
    return list(unique.values())


def _cache_path(folders: Sequence[Path], cache_dir: Path) -> Path:
    distributions = importlib.metadata.distributions(path=[str(folder) for folder in folders])
    # A distribution whose metadata are broken has no name.
    installed = sorted(f"{distribution.name}=={distribution.version}" for distribution in distributions)
    key = json.dumps([FORMAT_VERSION, sys.version_info[:2], [str(folder) for folder in folders], installed])
    return cache_dir / f"docstrings-{hashlib.sha256(key.encode()).hexdigest()[:16]}.parquet"


def _read_cache(path: Path) -> Extraction | None:
    try:
        table = pq.read_table(path)
        counts = json.loads((table.schema.metadata or {})[b"selfsent"])
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None  # missing, unreadable or damaged: it is made again
    rows = zip(table["qualified_name"].to_pylist(), table["sentences"].to_pylist(), strict=True)
    docstrings = [
        Docstring(package=name.partition(".")[0], qualified_name=name, sentences=tuple(sentences))
        for name, sentences in rows
    ]
    return Extraction(docstrings=docstrings, **counts)


def _write_cache(path: Path, extraction: Extraction) -> None:
    counts = {"num_files": extraction.num_files, "num_unreadable": extraction.num_unreadable}
    names = [docstring.qualified_name for docstring in extraction.docstrings]
    sentences = [list(docstring.sentences) for docstring in extraction.docstrings]
    columns = {"qualified_name": pa.array(names, pa.string()), "sentences": pa.array(sentences, pa.list_(pa.string()))}
    table = pa.table(columns).replace_schema_metadata({"selfsent": json.dumps(counts)})
    try:
        with atomic_path(path) as aside:
            pq.write_table(table, aside, compression="zstd")
    except (UserError, OSError):
        return  # a cache that cannot be written costs the next run half a minute, nothing else
