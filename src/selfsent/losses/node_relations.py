"""The node-contrastive objective where not all negatives are alike: the formula for a tile, and what it is told.

This is plain torch, a tile of rows at a time and each tile again in the backward pass: memory grows with the nodes, and
a step costs two to three times that of the tiled kernel, which only knows negatives that are all alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from selfsent.kernels.node_relations import hash_spans, measure_distances
from selfsent.trees.arrays import TreeBatch

Repeats = Literal["negative", "masked", "positive"]
"""What other nodes over the same tokens are to a node: negatives like all others, left out, or positives too."""

_TILE_ROWS = 256


@dataclass(frozen=True)
class NodePairs:
    """The pairs of nodes whose logits are changed, ordered by row.

    Args:
        rows: First node of each pair.
        columns: Second node.
        log_weight: What is added to the logit of the pair.
    """

    rows: Int[Tensor, " P"]
    columns: Int[Tensor, " P"]
    log_weight: Float[Tensor, " P"]

    def kept(self, node_mask: Tensor) -> "NodePairs":
        """Leave out nodes, and the pairs they are in; the others are numbered anew.

        Args:
            node_mask: True for each node to keep.
        """
        mask = node_mask.cpu()
        number = mask.cumsum(0) - 1
        both = mask[self.rows] & mask[self.columns]
        return NodePairs(number[self.rows[both]], number[self.columns[both]], self.log_weight[both])


def span_groups(trees: TreeBatch, token_ids: Int[Tensor, " L"]) -> Int[Tensor, " N"]:
    """Number the token sequences that nodes span: two nodes have one number where they span the same tokens.

    Args:
        trees: The trees of the batch.
        token_ids: Tokens of the leaves, in reading order.
    """
    hashes = np.empty(trees.num_nodes, dtype=np.uint64)
    hash_spans(token_ids.cpu().numpy(), trees.num_tokens, trees.left, trees.right, hashes)
    return torch.from_numpy(np.unique(hashes, return_inverse=True)[1]).to(token_ids.device)


def weighted_by_distance(trees: TreeBatch, decay: float) -> NodePairs:
    """Weigh each pair of nodes of one tree by the edges between them: ``1 - decay ** edges``.

    Memory grows with the square of a sentence's nodes, summed over the sentences, and not with the batch's.

    Args:
        trees: The trees of the batch.
        decay: In (0, 1): how little a node one edge away counts as a negative.
    """
    num_pairs = int((np.maximum(2 * trees.num_tokens - 1, 0) ** 2).sum())
    rows, columns = np.empty(num_pairs, dtype=np.int64), np.empty(num_pairs, dtype=np.int64)
    distances = np.empty(num_pairs, dtype=np.int32)
    measure_distances(trees.num_tokens, trees.left, trees.right, rows, columns, distances)
    is_pair = distances > 0
    log_weight = np.log1p(-np.power(decay, distances[is_pair].astype(np.float64))).astype(np.float32)
    return NodePairs(*map(torch.from_numpy, (rows[is_pair], columns[is_pair], log_weight)))


def related_contrastive(
    up: Float[Tensor, "N D"],
    down: Float[Tensor, "N D"],
    *,
    temperature: float,
    groups: Int[Tensor, " N"] | None = None,
    repeats: Repeats = "negative",
    pairs: NodePairs | None = None,
) -> Float[Tensor, ""]:
    """Contrast upward with downward embeddings as `functional.node_contrastive` does, told how nodes relate.

    Args:
        up: Unit vectors.
        down: Unit vectors of the same nodes.
        temperature: Divides the cosines; positive.
        groups: Nodes of one number are repeats of each other.
        repeats: What they are to each other. As positives they share a node's target equally.
        pairs: Logits that are changed, those of repeats that are positives excepted; symmetric.

    Returns:
        Mean over nodes of both directions' cross-entropy, in nats; 0 where there is no node.
    """
    if not len(up):
        return (up + down).sum()
    groups = None if repeats == "negative" else groups
    if pairs is not None and groups is not None and repeats == "positive":
        differ = groups[pairs.rows] != groups[pairs.columns]
        pairs = NodePairs(pairs.rows[differ], pairs.columns[differ], pairs.log_weight[differ])
    with torch.autocast(up.device.type, enabled=False):
        sides = (up.float(), down.float()) if up.dtype in (torch.bfloat16, torch.float16) else (up, down)
        totals = [
            checkpoint(
                _tile,
                anchors[tile] / temperature,
                candidates,
                tile,
                groups=groups,
                repeats=repeats,
                pairs=own,
                use_reentrant=False,
            )
            for anchors, candidates in (sides, sides[::-1])
            for tile, own in _tiles(len(up), pairs)
        ]
    return (torch.stack(totals).sum() / (2 * len(up))).to(up.dtype)  # pyright: ignore[reportArgumentType, reportCallIssue] checkpoint hides the type


def _tiles(num_rows: int, pairs: NodePairs | None) -> Iterator[tuple[slice, NodePairs | None]]:
    """Ranges of rows, and the pairs whose first node is in each."""
    starts = list(range(0, num_rows, _TILE_ROWS))
    for start in starts:
        end = min(start + _TILE_ROWS, num_rows)
        own = pairs
        if pairs is not None:
            first, last = torch.searchsorted(pairs.rows, torch.tensor([start, end], device=pairs.rows.device)).tolist()
            own = NodePairs(pairs.rows[first:last] - start, pairs.columns[first:last], pairs.log_weight[first:last])
        yield slice(start, end), own


def _tile(
    anchors: Tensor,
    candidates: Tensor,
    tile: slice,
    *,
    groups: Tensor | None,
    repeats: Repeats,
    pairs: NodePairs | None,
) -> Tensor:
    """Summed cross-entropy of some rows against all candidates."""
    logits = anchors @ candidates.T
    own = torch.arange(tile.start, tile.stop, device=anchors.device)
    if pairs is not None:
        places = (pairs.rows.to(logits.device), pairs.columns.to(logits.device))
        logits = logits.index_put(places, pairs.log_weight.to(logits), accumulate=True)
    if groups is None:
        return functional.cross_entropy(logits, own, reduction="sum")
    is_repeat = groups[tile, None] == groups
    if repeats == "positive":
        shares = is_repeat / is_repeat.sum(dim=1, keepdim=True)
        return functional.cross_entropy(logits, shares.to(logits), reduction="sum")
    is_repeat[torch.arange(len(own), device=own.device), own] = False
    return functional.cross_entropy(logits.masked_fill(is_repeat, -torch.inf), own, reduction="sum")
