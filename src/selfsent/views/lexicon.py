"""A lexicon: a table of words and their synonyms, in a file that people can read and write."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from selfsent.atomic import write_text
from selfsent.data.formats import BadRecord, read_tsv, without_blanks
from selfsent.data.source_files import expanded
from selfsent.errors import UserError


@dataclass(frozen=True, kw_only=True, repr=False)
class Lexicon:
    """Words and their synonyms.

    Args:
        name: Where it comes from, for people and ``run.json``.
        synonyms: Lower-cased word to its synonyms, one at least, itself not among them.
    """

    name: str
    synonyms: Mapping[str, tuple[str, ...]]

    def __repr__(self) -> str:
        return f"Lexicon({self.name!r}, {len(self.synonyms)} words, sha256 {self.sha256[:12]})"

    @cached_property
    def sha256(self) -> str:
        """Hash of the content, whatever the order of the words."""
        return hashlib.sha256(json.dumps(sorted(self.synonyms.items())).encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Write a line a word: the word and its synonyms, tabs between them.

        Raises:
            UserError: The file cannot be written.
        """
        write_text(path, "".join("\t".join((word, *others)) + "\n" for word, others in self.synonyms.items()))


def read_lexicon(path: str | Path, *, name: str | None = None) -> Lexicon:
    """Read a file of a word and its synonyms a line, tabs between them; a word may stand in several lines.

    Args:
        path: A ``.tsv`` file, UTF-8, without a header.
        name: What to call it; default: the file's name.

    Returns:
        The lexicon. Words are looked up, and therefore stored, in lower case.

    Raises:
        UserError: There is no such file, it cannot be read, or a line has no synonym; file and line are named.
    """
    file = expanded(path)
    if not file.is_file():
        raise UserError(f"no lexicon at {file}; name a file with a word and its synonyms a line, tabs between them")
    synonyms: dict[str, dict[str, None]] = {}
    for number, record in without_blanks(read_tsv(file)):
        if isinstance(record, BadRecord):
            raise UserError(f"{file}, line {number}: {record.reason}")
        word, *others = (str(cell).strip() for cell in record)
        known = [other for other in others if other and other.lower() != word.lower()]
        if not word or not known:
            raise UserError(
                f"{file}, line {number}: {word[:40]!r} has no synonym; write the word and its synonyms, tabs between"
            )
        synonyms.setdefault(word.lower(), {}).update(dict.fromkeys(known))
    if not synonyms:
        raise UserError(f"the lexicon {file} is empty; write a word and its synonyms a line, tabs between them")
    return Lexicon(name=name or file.name, synonyms={word: tuple(others) for word, others in synonyms.items()})
