"""The texts of a source that a tree model can be trained on, each as it stands and as its tokenizer reads it."""

from collections.abc import Iterator

from selfsent.data.source import Source
from selfsent.parsing.given_trees import GivenTrees


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
