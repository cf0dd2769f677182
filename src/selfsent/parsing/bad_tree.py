"""A parse that cannot be read: raised where all trees must be good, yielded where bad ones are left out."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from selfsent.errors import UserError

ReadTree = TypeVar("ReadTree")


class BadTree(UserError):  # noqa: N818 it is yielded as often as raised
    """What is wrong with a tree of a file.

    Args:
        place: File and line.
        reason: What is wrong and what is needed.
        is_sentence: Whether it is the tree of a sentence; text outside of all trees, such as a heading, is not.
    """

    def __init__(self, place: str, reason: str, *, is_sentence: bool = True) -> None:
        super().__init__(f"{place}: {reason}")
        self.place, self.reason, self.is_sentence = place, reason, is_sentence


def good_trees(trees: Iterable[ReadTree | BadTree]) -> Iterator[ReadTree]:
    """Yield the trees, and raise at the first bad one."""
    for tree in trees:
        if isinstance(tree, BadTree):
            raise tree
        yield tree
