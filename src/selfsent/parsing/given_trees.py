"""The trees of texts for a model of given structure, and the texts of a source as it reads them."""

import re
from collections.abc import Iterator
from typing import Literal

import numpy as np

from selfsent.data.heldout import hash_of_text
from selfsent.data.source import Source
from selfsent.errors import UserError
from selfsent.parsing.brackets import parse_bracketed
from selfsent.parsing.parse_file import ParseFile
from selfsent.parsing.parsed_text import ParsedText, of_constituents, uninformed

Unparsed = Literal["stop", "balanced", "right", "left", "random"]
"""What a text without a tree gets: an error, or a tree that does not read it."""

# A label and then another bracket: "(see above)" is a text, "(S (NP ..." a tree.
_TREE_LIKE = re.compile(r"\s*\(\s*[^()\s]*\s*\(")
_SHOWN_CHARACTERS = 60


class GivenTrees:
    """Find the tree of a text: in a parse file, in the text itself, or, where that is allowed, an uninformed one.

    A text may be written as a bracketed tree; its words with spaces between them are then the text. A text of one word
    needs no tree.

    Args:
        parses: A parse file or a folder of them (`selfsent parse` writes such); opened when it is first needed.
        unparsed: What a text without a tree gets.
    """

    def __init__(self, parses: str | None = None, *, unparsed: Unparsed = "stop") -> None:
        self.parses = parses
        self.unparsed: Unparsed = unparsed
        self._file: ParseFile | None = None

    def __call__(self, text: str) -> ParsedText:
        """Give a text with its tree.

        Raises:
            UserError: The text has no tree and ``unparsed`` is ``stop``, it is a tree that is not well-formed, or there
                is not a parse file where one was named.
        """
        found = self.known(text)
        if found is not None:
            return found
        if self.unparsed == "stop":
            place = f"in {self.parses}" if self.parses else "(the model names no parse file)"
            raise UserError(
                f"no tree for the text {text[:_SHOWN_CHARACTERS]!r} {place}; parse it with `selfsent parse`, write it"
                " as a bracketed tree, or set unparsed to a structure such as balanced"
            )
        return uninformed(text, self.unparsed, hash_of_text(text))

    def known(self, text: str) -> ParsedText | None:
        """Give a text with its tree, or ``None`` where it has none."""
        if self.parses is not None and self._file is None:
            self._file = ParseFile(self.parses)
        found = self._file.find(text) if self._file else None
        if found is not None:
            return found
        if _TREE_LIKE.match(text):
            return _read(text)
        return one_word(text) if len(text.split()) <= 1 else None


def one_word(word: str) -> ParsedText:
    """A text that is one word: its pieces are the only constituent."""
    return ParsedText(text=word, word_starts=np.zeros(1, dtype=np.int64), split_depths=np.zeros(0, dtype=np.int64))


def _read(text: str) -> ParsedText:
    trees = parse_bracketed(text)
    if len(trees) != 1:
        raise UserError(
            f"the text {text[:_SHOWN_CHARACTERS]!r} holds {len(trees)} bracketed trees; write one tree a text"
        )
    return of_constituents(trees[0])


class TreeTexts:
    """Yield pairs: a text as it stands in the source, and the words it consists of, which differ for a written tree.

    Args:
        source: The texts.
        given: Finds their trees where the structure is given; ``None`` takes every text as it is.
        skip_unparsed: Leave out texts without a tree, and count them, instead of what ``given`` does with them.

    Raises:
        UserError: While iterating: a text has no tree, and neither ``given`` nor ``skip_unparsed`` allows that.
    """

    def __init__(self, source: Source, given: GivenTrees | None = None, *, skip_unparsed: bool = False) -> None:
        self.source, self.given, self.skip_unparsed = source, given, skip_unparsed
        self.num_unparsed = 0

    def __iter__(self) -> Iterator[tuple[str, str]]:
        self.num_unparsed = 0
        for text in self.source.texts():
            if self.given is None:
                yield text, text
                continue
            parsed = self.given.known(text)
            self.num_unparsed += parsed is None
            if parsed is None and self.skip_unparsed:
                continue
            yield text, (parsed or self.given(text)).text

    def plain(self) -> "PlainTexts":
        """The words of the texts alone, read anew at every iteration."""
        return PlainTexts(self)


class PlainTexts:
    """The second of each pair of `TreeTexts`."""

    def __init__(self, texts: TreeTexts) -> None:
        self._texts = texts

    def __iter__(self) -> Iterator[str]:
        return (plain for _, plain in self._texts)
