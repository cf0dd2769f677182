"""The tree a model sees in one sentence, ready to be drawn."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from selfsent.drawing.one_tree import bracketed, indented, svg
from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.trees.arrays import Tree


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
        model: A tree model, or the path of one.
        sentence: Any text with at least one token.

    Raises:
        UserError: The model builds no trees, or the sentence has no token.
    """
    opened = load(model) if isinstance(model, str | Path) else model
    encoder = tree_encoder(opened, model if isinstance(model, str | Path) else "the model")
    features = encoder.preprocess([sentence])
    token_ids = features["input_ids"][features["attention_mask"].bool()]
    if not len(token_ids):
        raise UserError(f"the sentence {sentence!r} has no token; give at least one word")
    opened.eval()
    with torch.no_grad():
        features = encoder({name: value.to(opened.device) for name, value in features.items()})
    pieces = encoder.tokenizer.convert_ids_to_tokens(token_ids.tolist())
    readable = tuple(piece.replace("▁", "") or "▁" for piece in pieces)
    return SentenceTree(sentence, readable, features["trees"].trees[0])


def tree_encoder(model: Any, name: str | Path) -> Any:
    """Give the module of a model that builds trees, its first.

    Args:
        model: The open model.
        name: What to call it in an error.

    Raises:
        UserError: It builds no trees.
    """
    encoder = model[0]
    if not hasattr(encoder, "tree_statistics"):
        raise UserError(f"{name} builds no trees (its first module is {type(encoder).__name__}); name a tree model")
    return encoder
