"""Contrast of parts of documents over an embedding table: the objective, its gradient by hand, and batches to draw.

The table is the only weight, so the gradient takes four matrix products; batches are bags of token ids, so that text is
tokenized once. A step takes a fraction of what the host's trainer needs for the same model, which makes a dense
gradient and a dense optimizer step of the whole table (docs/experiments.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.random import Generator

from selfsent.documents.token_corpus import TokenCorpus
from selfsent.errors import UserError
from selfsent.kernels.bags_of_rows import Bags

Part = Literal["first", "random", "lead", "crops"]
"""``first`` sentence, or a ``random`` sentence or title, against the rest of the stretch; ``lead``: its title, else its
first sentence; ``crops``: its title and sentences in two halves drawn at random."""

PARTS: tuple[Part, ...] = get_args(Part)

_LARGEST_NEGATIVE = np.float32(-1e4)
_TINY = np.float32(1e-6)


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """The objective of a batch and its gradient.

    Args:
        loss: Mean over stretches of both directions, nats.
        gradient: By the sum of weighted rows of each anchor, and below by that of each rest.
        num_skipped: Candidates left out since they are no negatives.
    """

    loss: float
    gradient: Float[np.ndarray, "B2 D"]
    num_skipped: int


def part_contrast(
    sums: Float[np.ndarray, "B2 D"], is_skipped: Bool[np.ndarray, "B B"], *, temperature: float
) -> Contrast:
    """Find each anchor's rest among all rests of the batch, and each rest's anchor: InfoNCE both ways over cosines.

    Source: van den Oord et al. 2018; SimCSE (Gao et al., EMNLP 2021), Equation 5, both directions averaged.

    Args:
        sums: Sums of the weighted rows of each anchor, then of each rest.
        is_skipped: Pairs of an anchor and a rest that are no negatives, such as parts of one document.
        temperature: Divides the cosines.
    """
    num_rows = len(sums) // 2
    norms = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), _TINY)
    units = sums / norms
    anchors, rests = units[:num_rows], units[num_rows:]
    logits = anchors @ rests.T / np.float32(temperature)
    logits[is_skipped] = _LARGEST_NEGATIVE
    forward, log_forward = _softmax(logits)
    backward, log_backward = _softmax(np.ascontiguousarray(logits.T))
    own = np.arange(num_rows)
    slope = (forward + backward.T) / 2
    slope[own, own] -= 1
    slope /= np.float32(num_rows * temperature)
    of_units = np.concatenate([slope @ rests, slope.T @ anchors])
    gradient = (of_units - (of_units * units).sum(axis=1, keepdims=True) * units) / norms
    return Contrast(
        loss=-float((log_forward + log_backward).mean()) / 2, gradient=gradient, num_skipped=int(is_skipped.sum())
    )


def _softmax(logits: Float[np.ndarray, "B B"]) -> tuple[Float[np.ndarray, "B B"], Float[np.ndarray, " B"]]:
    """Softmax of each row, and the logarithm of its diagonal."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    totals = powers.sum(axis=1, keepdims=True)
    return powers / totals, shifted.diagonal() - np.log(totals[:, 0])


class PartBatches:
    """Draws batches of parts and rests from a corpus of token ids.

    Args:
        corpus: The corpus; stretches of one part are not drawn.
        rows_of: Row of the table for each token id.
        row_weights: Weight of each row's tokens in a sum.
        parts: Which parts are anchors, one kind drawn for each batch.
        token_dropout: Share of tokens left out of a sum, drawn anew for each batch, in [0, 1).
        seed: Random seed.

    Raises:
        UserError: No part is named, one is not known, the dropout is out of range, or no stretch has two parts.
    """

    def __init__(
        self,
        corpus: TokenCorpus,
        *,
        rows_of: Int[np.ndarray, " V"],
        row_weights: Float[np.ndarray, " R"],
        parts: Sequence[str],
        token_dropout: float,
        seed: int,
    ) -> None:
        unknown = [part for part in parts if part not in PARTS]
        if unknown or not parts:
            raise UserError(f"parts must be one or more of {', '.join(PARTS)}, got {', '.join(unknown) or 'none'}")
        if not 0 <= token_dropout < 1:
            raise UserError(f"token_dropout={token_dropout} must be in [0, 1)")
        self.corpus = corpus
        self.rows_of = rows_of
        self.row_weights = row_weights
        self.parts = tuple(parts)
        self.token_dropout = token_dropout
        self.seed = seed
        self.usable = np.flatnonzero(corpus.num_parts > 1)
        self._keys = np.random.default_rng(0).integers(2**63, size=len(row_weights), dtype=np.int64)
        if len(self.usable) < 2:  # noqa: PLR2004 a contrast needs two
            raise UserError(
                f"learning from documents needs two that have a title and a text, or two sentences, got"
                f" {len(self.usable)}; give longer documents"
            )

    def num_batches(self, batch_size: int) -> int:
        """How many batches an epoch has; the last stretches of its order, fewer than a batch, are not drawn."""
        return max(1, len(self.usable) // batch_size)

    def epoch(self, number: int, batch_size: int) -> "list[Int[np.ndarray, ' B']]":
        """Give the stretches of each batch of an epoch, in an order that depends on seed and epoch alone."""
        order = np.random.default_rng([self.seed, number]).permutation(self.usable)
        return [order[start : start + batch_size] for start in range(0, len(order), batch_size)][
            : self.num_batches(batch_size)
        ]

    def draw(self, stretches: Int[np.ndarray, " B"], random: Generator) -> tuple[Bags, Bool[np.ndarray, "B B"]]:
        """Part each stretch in two.

        Args:
            stretches: Numbers of the stretches.
            random: Where draws come from.

        Returns:
            Anchors and, behind them, rests; and which pairs of an anchor and a rest are no negatives: those of other
            stretches of the same document, and those with the same tokens in anchor or rest.
        """
        starts, ends = self.corpus.stretch_starts[stretches], self.corpus.stretch_starts[stretches + 1]
        parts, row = _ranges(starts, ends)
        side = self._sides(stretches, parts, row, random)
        bags = self._bags(parts, side * len(stretches) + row, 2 * len(stretches), random)
        documents = self.corpus.documents[stretches]
        skipped = documents[:, None] == documents
        keys = self._bag_keys(bags)
        for of_side in (keys[: len(stretches)], keys[len(stretches) :]):
            skipped |= of_side[:, None] == of_side
        np.fill_diagonal(skipped, val=False)
        return bags, skipped

    def _sides(
        self,
        stretches: Int[np.ndarray, " B"],
        parts: Int[np.ndarray, " P"],
        row: Int[np.ndarray, " P"],
        random: Generator,
    ) -> Int[np.ndarray, " P"]:
        """Say for each part whether it is in the anchor (0) or in the rest (1)."""
        starts, ends = self.corpus.stretch_starts[stretches], self.corpus.stretch_starts[stretches + 1]
        kind = self.parts[int(random.integers(len(self.parts)))]
        if kind == "crops":
            order = np.lexsort((random.random(len(parts)), row))
            place = np.empty(len(parts), dtype=np.int64)
            place[order] = np.arange(len(parts)) - np.repeat(np.cumsum(ends - starts) - (ends - starts), ends - starts)
            return (place >= (ends - starts)[row] // 2).astype(np.int64)
        if kind == "random":
            anchor = starts + (random.random(len(starts)) * (ends - starts)).astype(np.int64)
        else:
            anchor = starts + (self.corpus.is_titled[stretches].astype(np.int64) if kind == "first" else 0)
        return (parts != anchor[row]).astype(np.int64)

    def _bags(self, parts: Int[np.ndarray, " P"], bag: Int[np.ndarray, " P"], num_bags: int, random: Generator) -> Bags:
        order = np.argsort(bag, kind="stable")
        starts, ends = self.corpus.part_starts[parts[order]], self.corpus.part_starts[parts[order] + 1]
        places, _ = _ranges(starts, ends)
        rows = self.rows_of[self.corpus.tokens[places]]
        weights = self.row_weights[rows]
        if self.token_dropout:
            weights = weights * (random.random(len(rows), dtype=np.float32) >= self.token_dropout)
        lengths = np.bincount(bag[order], weights=ends - starts, minlength=num_bags).astype(np.int64)
        return Bags(tokens=rows, weights=weights, starts=np.concatenate([[0], np.cumsum(lengths)]))

    def _bag_keys(self, bags: Bags) -> Int[np.ndarray, " B"]:
        """Give each bag a number, equal for bags of equal tokens in any order."""
        total = np.concatenate([[0], np.cumsum(self._keys[bags.tokens])])
        return total[bags.starts[1:]] - total[bags.starts[:-1]]


def _ranges(starts: Int[np.ndarray, " N"], ends: Int[np.ndarray, " N"]) -> tuple[Int[np.ndarray, " M"], ...]:
    """Number everything from each start to its end, one range behind the other, and say which range it is in."""
    lengths = ends - starts
    row = np.repeat(np.arange(len(starts)), lengths)
    first = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum())) - first[row] + np.asarray(starts)[row], row
