"""Bytes that a rank sends in a training step, by passing the pieces around a ring one by one.

    python -m benchmarks.communication [--parameters N] [--batch B] [--dimension D]

Gradients are averaged by a ring all-reduce, and embeddings gathered by a ring all-gather, as NCCL does for large
messages. Pieces are passed as a real ring passes them, and the outcome is checked; the closed forms that docs/scale.md
extrapolates with are compared with the count.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BYTES_A_NUMBER = 4


def all_reduced(values: Sequence[NDArray[np.float64]]) -> tuple[list[NDArray[np.float64]], int]:
    """Add up one array a rank around a ring.

    Args:
        values: The array of each rank, all of one length.

    Returns:
        What each rank holds at the end, and how many numbers the busiest rank sent.
    """
    num_ranks = len(values)
    pieces = [np.array_split(array.copy(), num_ranks) for array in values]
    sent = [0] * num_ranks
    for is_sum in (True, False):
        for turn in range(num_ranks - 1):
            first = 0 if is_sum else 1
            moving = [pieces[rank][(rank + first - turn) % num_ranks].copy() for rank in range(num_ranks)]
            for rank, piece in enumerate(moving):
                number, other = (rank + first - turn) % num_ranks, (rank + 1) % num_ranks
                pieces[other][number] = pieces[other][number] + piece if is_sum else piece
                sent[rank] += len(piece)
    return [np.concatenate(held) for held in pieces], max(sent)


def all_gathered(rows: Sequence[NDArray[np.float64]]) -> tuple[list[list[NDArray[np.float64]]], int]:
    """Give every rank the rows of all, around a ring.

    Args:
        rows: Those of each rank.

    Returns:
        What each rank holds at the end, in the order of ranks, and how many numbers the busiest rank sent.
    """
    num_ranks = len(rows)
    held = [{rank: rows[rank]} for rank in range(num_ranks)]
    sent = [0] * num_ranks
    for turn in range(num_ranks - 1):
        moving = [(rank - turn) % num_ranks for rank in range(num_ranks)]
        for rank, number in enumerate(moving):
            held[(rank + 1) % num_ranks][number] = held[rank][number]
            sent[rank] += held[rank][number].size
    return [[of_rank[number] for number in range(num_ranks)] for of_rank in held], max(sent)


def step_bytes(num_parameters: int, batch_size: int, dimension: int, num_ranks: int) -> float:
    """Bytes that one rank sends in a step, by the closed forms.

    Args:
        num_parameters: Weights whose gradients are averaged.
        batch_size: Rows of one rank.
        dimension: Length of the embeddings, of which both sides are gathered, and whose gradients are averaged back.
        num_ranks: How many train together.
    """
    gradients = 2 * (num_ranks - 1) / num_ranks * num_parameters
    embeddings = 2 * batch_size * dimension
    gathered = (num_ranks - 1) * embeddings
    returned = 2 * (num_ranks - 1) / num_ranks * num_ranks * embeddings
    return BYTES_A_NUMBER * (gradients + gathered + returned)


def simulated_bytes(num_parameters: int, batch_size: int, dimension: int, num_ranks: int) -> int:
    """Count the same by passing the pieces."""
    embeddings = [np.full(2 * batch_size * dimension, rank, dtype=np.float64) for rank in range(num_ranks)]
    _, of_gradients = all_reduced([np.ones(num_parameters)] * num_ranks)
    _, gathered = all_gathered(embeddings)
    _, returned = all_reduced([np.ones(num_ranks * len(embeddings[0]))] * num_ranks)
    return BYTES_A_NUMBER * (of_gradients + gathered + returned)


def main() -> None:
    """Print bytes against ranks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parameters", type=int, default=4_400_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--dimension", type=int, default=128)
    asked = parser.parse_args()
    size = (asked.parameters, asked.batch, asked.dimension)
    for num_ranks in (1, 2, 4, 8, 16):
        simulated = simulated_bytes(*size, num_ranks) / 1e6
        print(
            f"{num_ranks:>4} ranks: {simulated:8.2f} MB passed, {step_bytes(*size, num_ranks) / 1e6:8.2f} MB by formula"
        )


if __name__ == "__main__":
    main()
