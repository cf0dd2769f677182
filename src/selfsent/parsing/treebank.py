"""Files of ready parses: bracketed constituents or CoNLL-U dependencies, one interface for both."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selfsent.data.compression import format_suffixes
from selfsent.data.source_files import expanded
from selfsent.errors import UserError
from selfsent.parsing.bad_tree import BadTree
from selfsent.parsing.brackets import ParsedTree, read_bracketed
from selfsent.parsing.dependencies import DependencyTree, projective, read_conllu
from selfsent.parsing.parsed_text import ParsedText, joined, place_words
from selfsent.trees.split_depths import depths_of_spans
from selfsent.trees.tree import IntArray

BRACKETED_SUFFIXES = (".mrg", ".ptb", ".brackets")
CONLLU_SUFFIX = ".conllu"


def is_treebank(path: str | Path) -> bool:
    """Tell by its name whether a file holds parses: ``.mrg``, ``.ptb``, ``.brackets`` or ``.conllu``."""
    return format_suffixes(Path(path))[0] in (*BRACKETED_SUFFIXES, CONLLU_SUFFIX)


@dataclass(frozen=True, kw_only=True)
class GivenParse:
    """One parse of a file, not yet checked.

    Args:
        place: File and line on which it begins.
        tree: Its constituents or its dependencies.
    """

    place: str
    tree: ParsedTree | DependencyTree

    @property
    def is_liftable(self) -> bool:
        """Whether it has arcs that could be lifted: a dependency tree that is not projective."""
        return isinstance(self.tree, DependencyTree) and projective(self.tree.heads) != self.tree.heads

    def parsed(self, text: str | None = None, *, lift: bool = False) -> ParsedText:
        """Turn it into a text with its parse.

        Args:
            text: The sentence whose words it must have; default: the text that the file states, else its words with
                spaces between them.
            lift: Make a dependency tree projective where it is not.

        Raises:
            UserError: Its words are not those of the sentence, it has none, or it is not projective.
        """
        words, depths = self._words_and_depths(lift=lift)
        stated = text or getattr(self.tree, "text", None)
        if not words:
            raise UserError("the parse has no word")
        if not stated:
            return joined(words, depths)
        return ParsedText(text=stated, word_starts=place_words(words, stated), split_depths=depths)

    def _words_and_depths(self, *, lift: bool) -> tuple[list[str], IntArray]:
        tree = self.tree
        if isinstance(tree, ParsedTree):
            return list(tree.words), depths_of_spans(len(tree.words), tree.spans)
        if lift:
            heads = projective(tree.heads)
            tree = DependencyTree(words=tree.words, heads=heads, text=tree.text, line=tree.line)
        return [word for word in tree.words if word], tree.split_depths()


def read_treebank(path: str | Path) -> Iterator[GivenParse | BadTree]:
    """Read the parses of a file in order, malformed ones as `BadTree` in their places.

    Args:
        path: CoNLL-U where the name ends in ``.conllu``, else bracketed trees; plain or compressed.

    Raises:
        UserError: The file cannot be read, or holds no tree.
    """
    file = expanded(path)
    trees = read_conllu(file) if format_suffixes(file)[0] == CONLLU_SUFFIX else read_bracketed(file)
    for tree in trees:
        yield tree if isinstance(tree, BadTree) else GivenParse(place=f"{file}, line {tree.line}", tree=tree)
