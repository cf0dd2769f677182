"""Tree models without torch: the tokens of a text, the tree over them, and the embedding of every node."""

import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from selfsent.int8_rows import Int8Rows
from selfsent.runtime.later_modules import Features
from selfsent.runtime.plain_merges import merge_one
from selfsent.runtime.saved_files import (
    Floats,
    NeedsTorch,
    Table,
    read_json,
    read_table,
    read_weights,
    read_wrapped_tokenizer,
)
from selfsent.runtime.token_table import joined
from selfsent.trees.builders import FIXED_BUILDERS, random_tree
from selfsent.trees.tree import IntArray, Tree, node_offsets

_MOST_PLAIN_TOKENS = 256
"""Tokens of a single text up to which the compiled loops are not loaded for it (`selfsent.runtime.plain_merges`)."""


@dataclass(frozen=True)
class TextTree:
    """The tree of a text.

    Args:
        pieces: Its tokens, as the vocabulary has them.
        offsets: The characters that each token stands for, ``(start, end)``.
        tree: The tree over them.
        up: The embedding of every node, ``(2T - 1, D)``: leaves in order, then merges.
    """

    pieces: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]
    tree: Tree
    up: Floats


@dataclass(frozen=True, kw_only=True)
class TreeSettings:
    """The settings of a saved tree encoder that its embeddings depend on.

    Args:
        channel_size: U, values a channel.
        structure: ``induced``, or a structure that does not read the embeddings.
        context: ``neighbours`` adds to each leaf the mean of its neighbours.
        max_tokens: Tokens of a text that are read; None for all.
    """

    channel_size: int
    structure: str
    context: str
    max_tokens: int | None


class TreeTexts:
    """Embeds texts as a saved ``TreeEncoder`` does.

    Args:
        tokenizer: Turns texts into token ids, without special tokens.
        table: An embedding a token, frequency weights multiplied in, ``(V, D)``.
        weight: Composition weight, ``(U, 2U)``.
        bias: Composition bias, ``(U,)``.
        settings: The settings.
    """

    builds_trees = True

    def __init__(
        self, tokenizer: Tokenizer, table: Table, weight: Floats, bias: Floats, settings: TreeSettings
    ) -> None:
        self.tokenizer = tokenizer
        self.table = table
        self.settings = settings
        self._weight = weight
        self._bias = bias
        added = np.tile(np.eye(settings.channel_size, dtype=np.float32), 2)
        # A cell that adds its children makes the sum of the tokens, whatever the tree: no tree is searched.
        self._adds_leaves = settings.context == "none" and np.array_equal(weight, added) and not bias.any()

    @property
    def dimension(self) -> int:
        """Values of an embedding."""
        return self.table.shape[1]

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that are read; None for all."""
        return self.settings.max_tokens

    def features(self, texts: Sequence[str]) -> Features:
        """Embed the tokens of texts, and the texts: each by its root, one without a token by zero."""
        num_tokens, ids = joined(self._ids(texts))
        leaves = self.table[ids]
        sentences = np.zeros((len(texts), self.dimension), dtype=np.float32)
        has_tokens = num_tokens > 0
        if self._adds_leaves and has_tokens.any():
            # Token by token as torch adds them: numpy's reduceat adds pairs, and rounds otherwise.
            sentences[:] = [rows.sum(axis=0) for rows in np.split(leaves, np.cumsum(num_tokens)[:-1])]
        elif has_tokens.any():
            _, _, up = self._composed(leaves, num_tokens, self._seeds(ids, num_tokens))
            sentences[has_tokens] = up[node_offsets(num_tokens)[1:][has_tokens] - 1]
        return Features(num_tokens=num_tokens, tokens=leaves, sentences=sentences)

    def num_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, uncut."""
        return [len(encoding.ids) for encoding in self._encode(texts)]

    def tree_of(self, text: str) -> TextTree:
        """Find the tree of a text; one without a token has no node."""
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        limit = self.settings.max_tokens
        num_tokens, ids = joined([encoding.ids[:limit]])
        left, right, up = self._composed(self.table[ids], num_tokens, self._seeds(ids, num_tokens))
        return TextTree(
            tuple(encoding.tokens[:limit]), tuple(encoding.offsets[:limit]), Tree(len(ids), left, right), up
        )

    def tree_over_words(self, words: Sequence[str]) -> Tree:
        """Find the tree over whole words: the pieces of each are composed first, then the words."""
        embeddings = self.features(list(words) or [""]).embeddings[: len(words)]
        num_words = np.array([len(words)], dtype=np.int64)
        left, right, _ = self._composed(embeddings, num_words, num_words.tolist())
        return Tree(len(words), left, right)

    def _composed(
        self, leaves: Floats, num_tokens: IntArray, seeds: Sequence[int]
    ) -> tuple[IntArray, IntArray, Floats]:
        """Find the trees over leaves and compose them: children of each merge by global id, and all embeddings."""
        if self.settings.context == "neighbours":
            leaves = with_neighbours(leaves, num_tokens)
        if self.settings.structure == "induced":
            return self._induced(leaves, num_tokens)
        trees = [self._fixed(int(number), seed) for number, seed in zip(num_tokens, seeds, strict=True)]
        offsets = node_offsets(num_tokens)
        up = np.concatenate(
            [np.zeros((0, leaves.shape[1]), np.float32)]
            + [
                self._over(tree, rows)
                for tree, rows in zip(trees, np.split(leaves, np.cumsum(num_tokens)[:-1]), strict=True)
            ]
        )
        shifted = list(zip(trees, offsets, strict=False))
        empty = [np.zeros(0, dtype=np.int64)]
        left = np.concatenate(empty + [tree.left + offset for tree, offset in shifted])
        right = np.concatenate(empty + [tree.right + offset for tree, offset in shifted])
        return left, right, up

    def _induced(self, leaves: Floats, num_tokens: IntArray) -> tuple[IntArray, IntArray, Floats]:
        if num_tokens.max(initial=0) <= 1:  # nothing to merge
            left, right = np.empty((2, 0), dtype=np.int64)
            return left, right, leaves
        if len(num_tokens) == 1 and num_tokens[0] <= _MOST_PLAIN_TOKENS and not _is_compiled():
            merged = merge_one(leaves, self._weight, self._bias)
            if merged is not None:
                return merged
        from selfsent.kernels.greedy_merges import merge_greedily  # noqa: PLC0415 it imports numba
        from selfsent.kernels.small_products import widened  # noqa: PLC0415

        weight_t = widened(np.ascontiguousarray(self._weight.T))
        return merge_greedily(np.ascontiguousarray(leaves), num_tokens, weight_t, widened(self._bias))

    def _over(self, tree: Tree, leaves: Floats) -> Floats:
        """Compose a known tree, all nodes of one height at a time."""
        size, num_tokens = self.settings.channel_size, tree.num_tokens
        up = np.empty((max(2 * num_tokens - 1, 0), leaves.shape[1]), dtype=np.float32)
        up[:num_tokens] = leaves
        heights = [0] * num_tokens
        for one, other in zip(tree.left.tolist(), tree.right.tolist(), strict=True):
            heights.append(1 + max(heights[one], heights[other]))
        height = np.array(heights[num_tokens:], dtype=np.int64)
        for level in range(1, int(height.max(initial=0)) + 1):
            merges = np.flatnonzero(height == level)
            children = [up[side[merges]].reshape(len(merges), -1, size) for side in (tree.left, tree.right)]
            joint = np.concatenate(children, axis=2) @ self._weight.T + self._bias
            up[num_tokens + merges] = joint.reshape(len(merges), -1)
        return up

    def _fixed(self, num_tokens: int, seed: int) -> Tree:
        if self.settings.structure == "random":
            return random_tree(num_tokens, np.random.default_rng(seed))
        return FIXED_BUILDERS[self.settings.structure](num_tokens)

    def _seeds(self, ids: NDArray[np.int64], num_tokens: IntArray) -> list[int]:
        """A seed of each sentence's own tokens, as the encoder draws a random tree by."""
        return [zlib.crc32(row.tobytes()) for row in np.split(ids, np.cumsum(num_tokens)[:-1])]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids[: self.settings.max_tokens] for encoding in self._encode(texts)]

    def _encode(self, texts: Sequence[str]) -> list[Any]:
        return self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)


def with_neighbours(leaves: Floats, num_tokens: IntArray) -> Floats:
    """Add to each leaf the mean of the leaves beside it in its sentence (`selfsent.modules.neighbour_context`)."""
    sentence = np.repeat(np.arange(len(num_tokens)), num_tokens)
    are_neighbours = (sentence[:-1] == sentence[1:]).astype(np.float32)[:, None]
    sums, counts = np.zeros_like(leaves), np.zeros((len(leaves), 1), dtype=np.float32)
    sums[1:] += leaves[:-1] * are_neighbours
    sums[:-1] += leaves[1:] * are_neighbours
    counts[1:] += are_neighbours
    counts[:-1] += are_neighbours
    return (leaves + sums / np.maximum(counts, 1)).astype(np.float32)


def read_trees(folder: Path) -> TreeTexts:
    """Open our ``TreeEncoder``.

    Raises:
        NeedsTorch: It takes given trees, searches by a beam or a chart, or its files are not as they are saved.
    """
    config = read_json(folder / "config.json")
    if not isinstance(config, dict):
        raise NeedsTorch(f"{folder} holds no settings")
    structure, inducer = config.get("structure", "induced"), config.get("inducer", "greedy")
    if structure in ("given", "attention") or (structure == "induced" and inducer != "greedy"):
        raise NeedsTorch(f"trees that are {structure}, by {inducer}, are found with torch only")
    if structure not in ("induced", "random", *FIXED_BUILDERS):
        raise NeedsTorch(f"the structure {structure!r} is not known here")
    size = int(config.get("channel_size", 10))
    table = read_table(folder)
    if config.get("frequency_weight"):
        weights = read_weights(folder, "embedding.token_weights")["embedding.token_weights"]
        table = table.times(weights) if isinstance(table, Int8Rows) else table * weights[:, None]
    weight, bias = _CELLS[_is_diagonal(config)](folder)
    if weight.shape != (size, 2 * size) or table.shape[1] != size * int(config.get("channels", 10)):
        raise NeedsTorch(f"the weights in {folder} are not of the shapes that its settings name")
    tokenizer = read_wrapped_tokenizer(folder)
    limit = config.get("max_seq_length")
    settings = TreeSettings(
        channel_size=size,
        structure=structure,
        context=config.get("context", "none"),
        max_tokens=None if limit is None else int(limit),
    )
    return TreeTexts(tokenizer, table, weight, bias, settings)


_WEIGHT, _BIAS = "composition.linear.weight", "composition.linear.bias"


def _is_diagonal(config: dict[str, Any]) -> bool:
    return config.get("cell", "affine") == "diagonal"


def _affine_cell(folder: Path) -> tuple[Floats, Floats]:
    found = read_weights(folder, _WEIGHT, _BIAS)
    return found[_WEIGHT], found[_BIAS]


def _diagonal_cell(folder: Path) -> tuple[Floats, Floats]:
    """The gates of a diagonal cell, written out as the matrices of an affine one."""
    found = read_weights(folder, "composition.gates", "composition.bias")
    gates = 1 / (1 + np.exp(-found["composition.gates"]))
    return np.concatenate([np.diag(side) for side in gates], axis=1).astype(np.float32), found["composition.bias"]


def _is_compiled() -> bool:
    """Whether the compiled loops have run in this process; their first run may compile for ten seconds."""
    loops = sys.modules.get("selfsent.kernels.greedy_merges")
    return loops is not None and bool(loops.has_run())


_CELLS: dict[bool, Callable[[Path], tuple[Floats, Floats]]] = {False: _affine_cell, True: _diagonal_cell}
