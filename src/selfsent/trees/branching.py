"""Statistics of trees: depth, shares of left and right merges, and their entropy."""

import numpy as np

from selfsent.trees.arrays import TreeBatch


def branching_statistics(trees: TreeBatch) -> dict[str, float]:
    """Describe the trees of a batch.

    A merge joins two leaves, a phrase and a leaf (left), a leaf and a phrase (right), or two phrases.

    Returns:
        ``depth`` (edges), ``left_share`` and ``right_share`` (of all merges but those of two leaves),
        ``branching_entropy`` (nats, over those three kinds).
    """
    is_leaf = np.zeros(trees.num_nodes + 1, dtype=bool)
    is_leaf[trees.leaf_nodes.numpy()] = True
    left_leaf, right_leaf = is_leaf[trees.left], is_leaf[trees.right]
    counts = np.array(
        [(~left_leaf & right_leaf).sum(), (left_leaf & ~right_leaf).sum(), (~left_leaf & ~right_leaf).sum()],
        dtype=float,
    )
    shares = counts / max(counts.sum(), 1.0)
    seen = shares[shares > 0]
    depth = float(np.mean([tree.depth for tree in trees])) if len(trees) else 0.0
    return {
        "depth": depth,
        "left_share": float(shares[0]),
        "right_share": float(shares[1]),
        "branching_entropy": float((seen * np.log(1 / seen)).sum()),
    }
