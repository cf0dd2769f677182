"""Cross-entropy of recovering tokens among a whole vocabulary, with its gradients from the same logits.

The logits of some hundred leaves are made once, a tile of the vocabulary at a time, turned into exponentials while the
tile is in the cache, and kept until their sums are known; then each tile gives its share of both gradients. That is
three products of leaves, vocabulary and dimension, where logits that are not kept take four. Memory grows with the
vocabulary, not with leaves times vocabulary.

Source: the running maximum is that of online softmax (Milakov and Gimelshein, arXiv 1805.02867); gradients in the
forward pass as in Liger Kernel's fused linear cross-entropy (arXiv 2410.10989).
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from selfsent.kernels.contrastive_tiles import HALF_PRECISION
from selfsent.kernels.tensor_parts import equal_parts, over_parts

# Of a CPU, measured (benchmarks/README.md): a tile of 1 MiB, and products large enough for the library's rate.
_TILE_ROWS, _TILE_COLUMNS = 512, 512
_KEPT_LOGITS, _FEWEST_ROWS = 1 << 24, 128
"""Largest number of logits kept at once (64 MiB), and least number of leaves in a tile (fewer make products slow)."""


def token_cross_entropy(
    leaves: Float[Tensor, "L D"],
    token_ids: Int[Tensor, " L"],
    table: Float[Tensor, "V D"],
    bias: Float[Tensor, " V"] | None = None,
) -> Float[Tensor, ""]:
    """Compute the cross-entropy of recovering tokens; its formula is `selfsent.losses.functional.leaf_cross_entropy`.

    Args:
        leaves: Downward embeddings of the leaves.
        token_ids: The tokens they stand for.
        table: One row a vocabulary item.
        bias: Added to the logits; ``None`` for none.

    Returns:
        Mean over leaves, in nats; 0 where there are none. Half precision is computed in float32. Gradients reach
        leaves, table and bias; double backward is refused.
    """
    if not len(leaves):
        return leaves.sum()
    with torch.autocast(leaves.device.type, enabled=False):
        exact = [None if side is None else _widened(side) for side in (leaves, table, bias)]
        loss: Any = _TokenCrossEntropy.apply(exact[0], token_ids, *exact[1:])
    return loss.to(leaves.dtype)


def _widened(side: Tensor) -> Tensor:
    return side.float() if side.dtype in HALF_PRECISION else side


class _TokenCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, leaves: Tensor, token_ids: Tensor, table: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(leaves, token_ids, table, bias)
        ctx.gradients = _Gradients.room_for(leaves, table, bias) if any(ctx.needs_input_grad) else None
        return _mean_loss(leaves, token_ids, _Vocabulary(table, bias), ctx.gradients)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        leaves, token_ids, table, bias = ctx.saved_tensors
        # Given away, so that autograd need not copy them; a second backward pass computes them anew.
        found, ctx.gradients = ctx.gradients, None
        if found is None:
            found = _Gradients.room_for(leaves, table, bias)
            _mean_loss(leaves, token_ids, _Vocabulary(table, bias), found)
        found.scale(gradients[0])
        return found.leaves, None, found.table, found.bias


@dataclass(frozen=True)
class _Vocabulary:
    """The output weights, and how they are cut into tiles."""

    table: Tensor
    bias: Tensor | None

    def __len__(self) -> int:
        return len(self.table)

    def parts(self) -> list[list[slice]]:
        """Give the rows of each tile, a list for each thread; a GPU gets one, where launches cost more than memory."""
        size = _TILE_COLUMNS if self.table.device.type == "cpu" else len(self)
        parts = equal_parts(len(self), self.table.device)
        return [[slice(at, min(at + size, part.stop)) for at in range(part.start, part.stop, size)] for part in parts]

    def logits(self, leaves: Tensor, tile: slice, room: Tensor) -> Tensor:
        """Compute the logits of a tile in the room given."""
        out = room[: len(leaves) * (tile.stop - tile.start)].view(len(leaves), -1)
        if self.bias is None:
            return torch.mm(leaves, self.table[tile].T, out=out)
        return torch.addmm(self.bias[tile], leaves, self.table[tile].T, out=out)


@dataclass(frozen=True)
class _Gradients:
    """Gradients of the loss by leaves, table and bias."""

    leaves: Tensor
    table: Tensor
    bias: Tensor | None

    @classmethod
    def room_for(cls, leaves: Tensor, table: Tensor, bias: Tensor | None) -> "_Gradients":
        """Allocate the gradients; those of table and bias are first written by the first leaves."""
        return cls(torch.zeros_like(leaves), torch.empty_like(table), None if bias is None else torch.empty_like(bias))

    def add_tile(self, shares: Tensor, leaves: Tensor, tile: slice, *, is_first: bool) -> None:
        """Add the part of one tile of softmaxes, each divided by the number of all leaves, to table and bias."""
        of_words = self.table[tile]
        torch.addmm(of_words, shares.T, leaves, beta=0.0 if is_first else 1.0, out=of_words)
        if self.bias is not None:
            self.bias[tile] = shares.sum(dim=0) if is_first else self.bias[tile] + shares.sum(dim=0)

    def subtract_own(self, leaves: Tensor, token_ids: Tensor, table: Tensor) -> None:
        """Subtract the part of each leaf's own token, since the loss subtracts its logit."""
        share = -1.0 / len(leaves)
        self.leaves.add_(table[token_ids], alpha=share)
        self.table.index_add_(0, token_ids, leaves, alpha=share)
        if self.bias is not None:
            self.bias.index_add_(0, token_ids, self.bias.new_full((len(leaves),), share))

    def scale(self, outer: Tensor) -> None:
        """Multiply by the gradient of the loss itself; where that is 1, nothing is written."""
        if outer.device.type == "cpu" and outer.item() == 1.0:
            return
        for part in (self.leaves, self.table, self.bias):
            if part is not None:
                part.mul_(outer)


def _mean_loss(leaves: Tensor, token_ids: Tensor, words: _Vocabulary, gradients: _Gradients | None) -> Tensor:
    """Compute the mean of ``log sum_v exp s_v - s_token``, and its gradients where they are wanted."""
    num_rows = _num_rows(len(leaves), len(words))
    parts = [slice(start, min(start + num_rows, len(leaves))) for start in range(0, len(leaves), num_rows)]
    if gradients is None:
        log_sums = [_log_sums(leaves[rows], words) for rows in parts]
    else:
        room = leaves.new_empty(num_rows * len(words))
        log_sums = [_log_sums_and_gradients(leaves, rows, words, room, gradients) for rows in parts]
        gradients.subtract_own(leaves, token_ids, words.table)
    own = (leaves * words.table[token_ids]).sum(dim=1)
    return (torch.cat(log_sums) - (own if words.bias is None else own + words.bias[token_ids])).mean()


def _num_rows(num_leaves: int, num_words: int) -> int:
    """Choose the number of leaves of a tile: about equal in all tiles, and few enough for their logits to be kept."""
    most = max(_FEWEST_ROWS, min(_TILE_ROWS, _KEPT_LOGITS // max(num_words, 1)))
    num_tiles = -(-num_leaves // most)
    return -(-num_leaves // num_tiles)


def _log_sums(leaves: Tensor, words: _Vocabulary) -> Tensor:
    """Compute the logarithms of the sums over the vocabulary without gradients, one tile in memory at a time."""

    def of_part(tiles: list[slice]) -> Tensor:
        room = leaves.new_empty(len(leaves) * (tiles[0].stop - tiles[0].start))
        sums = leaves.new_full((len(leaves),), -torch.inf)
        for tile in tiles:
            sums = torch.logaddexp(sums, words.logits(leaves, tile, room).logsumexp(dim=1))
        return sums

    return torch.stack(over_parts(of_part, words.parts())).logsumexp(dim=0)


def _log_sums_and_gradients(
    leaves: Tensor, rows: slice, words: _Vocabulary, room: Tensor, gradients: _Gradients
) -> Tensor:
    """Compute the same for some leaves, and add their gradients; ``room`` holds their logits over the vocabulary."""
    part = leaves[rows]
    kept = over_parts(lambda tiles: _exponentials(part, words, tiles, room), words.parts())
    sums = [(tiles[-1].maximum + of_part.log()).squeeze(1) for tiles, of_part in kept]
    log_sums = torch.stack(sums).logsumexp(dim=0)

    def give(found: tuple[list[_Exponentials], Tensor]) -> Tensor:
        of_leaves = torch.zeros_like(part)
        # Now that the sums are known, the exponentials become softmaxes, over the number of all leaves.
        for tile in found[0]:
            shares = tile.weights.mul_((tile.maximum - log_sums[:, None]).exp_().div_(len(leaves)))
            of_leaves.addmm_(shares, words.table[tile.words])
            gradients.add_tile(shares, part, tile.words, is_first=rows.start == 0)
        return of_leaves

    for of_leaves in over_parts(give, kept):
        gradients.leaves[rows] += of_leaves
    return log_sums


@dataclass(frozen=True)
class _Exponentials:
    """One tile: ``exp(logit - maximum)``, with the largest logit of each leaf so far."""

    words: slice
    weights: Tensor
    maximum: Tensor


def _exponentials(
    leaves: Tensor, words: _Vocabulary, tiles: list[slice], room: Tensor
) -> tuple[list[_Exponentials], Tensor]:
    """Compute some tiles, and the sums over them relative to the last one's maximum."""
    maximum = leaves.new_full((len(leaves), 1), torch.finfo(leaves.dtype).min)
    sums = torch.zeros_like(maximum)
    kept: list[_Exponentials] = []
    # A tile is finished while it is in the cache; the sums are rescaled where a larger maximum is found.
    for tile in tiles:
        logits = words.logits(leaves, tile, room[len(leaves) * tile.start :])
        largest = torch.maximum(maximum, logits.amax(dim=1, keepdim=True))
        sums.mul_((maximum - largest).exp_())
        maximum = largest
        weights = logits.sub_(maximum).exp_()
        sums.add_(weights.sum(dim=1, keepdim=True))
        kept.append(_Exponentials(tile, weights, maximum))
    return kept, sums
