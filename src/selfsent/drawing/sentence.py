"""The tree a model sees in one sentence, ready to be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from selfsent.drawing.one_tree import bracketed, indented, svg
from selfsent.errors import UserError
from selfsent.loading import load, open_to_encode
from selfsent.runtime.runtime_model import RuntimeModel
from selfsent.trees.tree import Tree


@dataclass(frozen=True)
class SentenceTree:
    """A sentence's pieces and the tree over them.

    Args:
        sentence: The sentence.
        pieces: Its tokens, as a person reads them.
        tree: The merges.
    """

    sentence: str
    pieces: tuple[str, ...]
    tree: Tree

    def drawn(self, form: Literal["text", "bracketed", "svg"]) -> str:
        """Write the tree as indented text, as a bracketed string, or as a picture."""
        if form == "svg":
            return svg(self.pieces, self.tree.left, self.tree.right, title=self.sentence)
        draw = indented if form == "text" else bracketed
        return draw(self.pieces, self.tree.left, self.tree.right)


def sentence_tree(model: Any, sentence: str) -> SentenceTree:
    """Find the tree a model sees in a sentence.

    Args:
        model: A tree model, of the host or opened without torch, or the path of one.
        sentence: Any text with at least one token.

    Raises:
        UserError: The model builds no trees, or the sentence has no token.
    """
    opened = open_tree_model(model) if isinstance(model, str | Path) else model
    if isinstance(opened, RuntimeModel):
        found = opened.tree_of(sentence)
        pieces, tree = found.pieces, found.tree
    else:
        pieces, tree = _of_host(opened, sentence)
    if not pieces:
        raise UserError(f"the sentence {sentence!r} has no token; give at least one word")
    return SentenceTree(sentence, tuple(piece.replace("▁", "") or "▁" for piece in pieces), tree)


def open_tree_model(path: str | Path) -> Any:
    """Open a model that builds trees, without torch where that is possible.

    Raises:
        UserError: There is no such model, or it builds no trees.
    """
    opened = open_to_encode(path)
    if isinstance(opened, RuntimeModel) and opened.builds_trees:
        return opened
    hosts = load(path) if isinstance(opened, RuntimeModel) else opened  # the host names the module
    _encoder(hosts, path)
    return hosts


def tree_over_words(model: Any, words: Sequence[str]) -> Tree:
    """Find the tree that an open tree model sees over whole words."""
    if isinstance(model, RuntimeModel):
        return model.tree_over_words(words)
    ((left, right),) = model[0].word_trees([words])
    return Tree(len(words), left, right)


def _of_host(model: Any, sentence: str) -> tuple[Sequence[str], Tree]:
    """The tokens of a sentence and the tree over them, by a model of the host."""
    import torch  # noqa: PLC0415 only a model of the host needs it

    encoder = _encoder(model, "the model")
    features = encoder.preprocess([sentence])
    token_ids = features["input_ids"][features["attention_mask"].bool()]
    model.eval()
    with torch.no_grad():
        features = encoder({name: value.to(model.device) for name, value in features.items()})
    return encoder.tokenizer.convert_ids_to_tokens(token_ids.tolist()), features["trees"].trees[0]


def _encoder(model: Any, name: str | Path) -> Any:
    """The module of a model of the host that builds trees, its first; refuse a model without."""
    encoder = model[0]
    if not hasattr(encoder, "tree_statistics"):
        raise UserError(f"{name} builds no trees (its first module is {type(encoder).__name__}); name a tree model")
    return encoder
