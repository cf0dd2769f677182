"""What every objective of a tree autoencoder needs first: a batch sent up its trees and down again."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from selfsent.errors import UserError
from selfsent.modules.tree_encoder import ComposingEncoder, TreeEncoder
from selfsent.modules.tree_options import Roots
from selfsent.trees.arrays import TreeBatch


@dataclass(frozen=True)
class NodeStates:
    """All nodes of a batch: upward and downward embeddings, which of them are leaves, and the leaves' tokens.

    Args:
        up: Upward embeddings.
        down: Downward embeddings, same order.
        is_leaf: Which rows are leaves, True = leaf.
        token_ids: Tokens of the leaves, in the order of their rows.
        trees: The trees; their global ids are the rows.
    """

    up: Float[Tensor, "N D"]
    down: Float[Tensor, "N D"]
    is_leaf: Tensor
    token_ids: Int[Tensor, " L"]
    trees: TreeBatch


class TreePass(nn.Module):
    """Encode one or several columns of texts and decode them along the trees that were found.

    Args:
        model: A SentenceTransformer whose first module is a `selfsent.modules.TreeEncoder`.
        decomposition_dropout: Share of values dropped from decomposed embeddings in training.
        roots: Whether a root's downward embedding is its upward one.

    Raises:
        UserError: The model is not a tree model.
    """

    def __init__(self, model: SentenceTransformer, *, decomposition_dropout: float, roots: Roots = "shared") -> None:
        super().__init__()
        self.decoder: Any = composing_encoder_of(model).new_decoder(dropout=decomposition_dropout, roots=roots)

    def forward(self, model: nn.Module, sentence_features: Iterable[dict[str, Any]]) -> NodeStates:
        """Return the states of all nodes of all columns."""
        columns = [self._column(model, dict(features)) for features in sentence_features]
        if len(columns) == 1:
            return columns[0]
        parts = [(column.up, column.down, column.is_leaf, column.token_ids) for column in columns]
        trees = TreeBatch.joined([column.trees for column in columns])
        up, down, is_leaf, token_ids = (torch.cat(part) for part in zip(*parts, strict=True))
        return NodeStates(up, down, is_leaf, token_ids, trees)

    def _column(self, model: nn.Module, features: dict[str, Any]) -> NodeStates:
        token_ids = features["input_ids"][features["attention_mask"].bool()]
        states = model(features)["trees"]
        is_leaf = torch.zeros(len(states.up), dtype=torch.bool, device=states.up.device)
        is_leaf[states.trees.leaf_nodes] = True
        return NodeStates(states.up, self.decoder(states), is_leaf, token_ids, states.trees)


def composing_encoder_of(model: Any) -> ComposingEncoder:
    """The encoder of a model that composes along trees.

    Raises:
        UserError: Its first module is something else.
    """
    first = model[0]
    if not isinstance(first, ComposingEncoder):
        raise UserError(
            f"this objective needs a tree model, and the first module here is {type(first).__name__};"
            " build one with `selfsent train self-strae` or put a selfsent.modules.TreeEncoder first"
        )
    return first


def tree_encoder_of(model: Any) -> TreeEncoder:
    """The tree encoder of a model.

    Raises:
        UserError: Its first module is something else.
    """
    first = model[0]
    if not isinstance(first, TreeEncoder):
        raise UserError(
            f"this objective needs a tree model, and the first module here is {type(first).__name__};"
            " build one with `selfsent train self-strae` or put a selfsent.modules.TreeEncoder first"
        )
    return first
