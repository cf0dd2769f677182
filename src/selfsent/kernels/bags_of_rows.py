"""Bags of tokens over an embedding table: sums of rows, and Adam's step on just the rows that a batch touches.

A table of 25,000 rows has some ten thousand in a batch. Gradients of the others are zero, so neither a dense gradient
nor a dense optimizer step is made.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from selfsent.compiler import compiled
from selfsent.kernels.threaded_ranges import over_ranges
from selfsent.trees.tree import IntArray

Table = Float[np.ndarray, "V D"]
_Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Bags:
    """Weighted tokens of some texts, one text after another.

    Args:
        tokens: Row of the table for each token.
        weights: Factor of each token; 0 leaves it out.
        starts: Where each text begins among the tokens, and the end of the last.
    """

    tokens: Int[np.ndarray, " L"]
    weights: Float[np.ndarray, " L"]
    starts: Int[np.ndarray, " B1"]

    def __len__(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True, kw_only=True)
class AdamSettings:
    """Adam's numbers.

    Args:
        beta_mean: Decay of the running mean of gradients.
        beta_square: Decay of the running mean of their squares.
        epsilon: Added to the root of the squares.

    Source: Kingma and Ba 2015.
    """

    beta_mean: float = 0.9
    beta_square: float = 0.999
    epsilon: float = 1e-8


def sums_of_rows(table: Table, bags: Bags) -> Float[np.ndarray, "B D"]:
    """Sum the weighted rows of each text.

    Args:
        table: The embedding table, float32.
        bags: The texts.

    Returns:
        One row a text; zero for a text without tokens.
    """
    sums = np.zeros((len(bags), table.shape[1]), dtype=np.float32)
    over_ranges(lambda first, end: _sum(table, bags.tokens, bags.weights, bags.starts, sums, first, end), len(bags))
    return sums


class SparseAdam:
    """Adam over the rows of a table that a batch touches; the moments of other rows stand still meanwhile.

    Differs: plain Adam moves rows without a gradient as well, by what is left of their moments.

    Args:
        table: The table, changed in place.
        settings: Adam's numbers.
    """

    def __init__(self, table: Table, settings: AdamSettings) -> None:
        self.table = table
        self.settings = settings
        self.mean = np.zeros_like(table)
        self.square = np.zeros_like(table)
        self.num_steps = 0

    def step(self, bags: Bags, gradient: Float[np.ndarray, "B D"], *, rate: float) -> None:
        """Change the table by one step.

        Args:
            bags: The texts of the batch.
            gradient: Gradient of the objective by each text's sum.
            rate: Learning rate of this step.
        """
        self.num_steps += 1
        # Tokens of one row of the table stand together, so that each row has one owner and threads never meet.
        order = _in_order(bags.tokens, len(self.table))
        in_order = bags.tokens[order]
        starts = np.flatnonzero(np.diff(in_order, prepend=-1))
        touched = in_order[starts]
        text = np.repeat(np.arange(len(bags)), np.diff(bags.starts))[order]
        weights, starts = bags.weights[order], np.append(starts, len(order))
        numbers = self._numbers(rate)

        def kernel(first: int, end: int) -> None:
            arrays = (self.table, self.mean, self.square, touched, starts, text, weights, gradient)
            _adam(*arrays, numbers, first, end)

        over_ranges(kernel, len(touched))

    def _numbers(self, rate: float) -> _Floats:
        """Decays, and rate and root with the bias of the moments corrected."""
        beta_mean, beta_square = self.settings.beta_mean, self.settings.beta_square
        corrected = rate / (1 - beta_mean**self.num_steps)
        root = (1 - beta_square**self.num_steps) ** -0.5
        return np.array([beta_mean, beta_square, corrected, root, self.settings.epsilon], dtype=np.float32)


def _in_order(rows: Int[np.ndarray, " L"], num_rows: int) -> Int[np.ndarray, " L"]:
    """Sort rows, those of one number in their order: numpy sorts numbers of 16 bits by counting, four times as fast."""
    is_narrow = num_rows <= np.iinfo(np.uint16).max + 1
    return np.argsort(rows.astype(np.uint16) if is_narrow else rows, kind="stable")


@compiled()
def _sum(
    table: _Floats, tokens: IntArray, weights: _Floats, starts: IntArray, sums: _Floats, first: int, end: int
) -> None:
    # Text by text, so that a sum stays in the cache while rows of the table stream by.
    for text in range(first, end):
        for place in range(starts[text], starts[text + 1]):
            weight = weights[place]
            if weight != 0:
                row = tokens[place]
                for value in range(table.shape[1]):
                    sums[text, value] += weight * table[row, value]


@compiled()
def _adam(
    table: _Floats,
    mean: _Floats,
    square: _Floats,
    touched: IntArray,
    starts: IntArray,
    text: IntArray,
    weights: _Floats,
    gradient: _Floats,
    numbers: _Floats,
    first: int,
    end: int,
) -> None:
    beta_mean, beta_square, rate, root, epsilon = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    of_row = np.zeros(table.shape[1], dtype=np.float32)
    # Row by row: first its gradient over all tokens that are this row, then Adam's step on it while it is at hand.
    for number in range(first, end):
        of_row[:] = 0
        for place in range(starts[number], starts[number + 1]):
            weight = weights[place]
            if weight != 0:
                for value in range(table.shape[1]):
                    of_row[value] += weight * gradient[text[place], value]
        row = touched[number]
        for value in range(table.shape[1]):
            slope = of_row[value]
            mean[row, value] = beta_mean * mean[row, value] + (1 - beta_mean) * slope
            square[row, value] = beta_square * square[row, value] + (1 - beta_square) * slope * slope
            table[row, value] -= rate * mean[row, value] / (np.sqrt(square[row, value]) * root + epsilon)
