"""What a piece of work costs at best: its products at the machine's rate of products, its bytes at its bandwidth."""

import math
from dataclasses import dataclass

import torch
from benchmarks.interleaved import take_turns

FLOAT_BYTES = 4
ADAM_PASSES = 7
"""Reads of weight, gradient and both moments, writes of all but the gradient: what a step of Adam moves."""
PASSES_WITH_GRADIENTS = 3
"""A product forward, and one for each of its two factors backward."""
CHUNK_EXPONENTIALS = 1 << 18


@dataclass(frozen=True, kw_only=True)
class Floor:
    """The least time of a piece of work.

    Args:
        seconds: That time.
        binds: What most of it goes to: ``products``, ``bytes`` or ``exponentials``.
    """

    seconds: float
    binds: str


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What this machine reached in this run.

    Args:
        products_per_s: Floating-point operations of a large matrix product in float32.
        bytes_per_s: Bytes read and written by a copy that fits no cache.
        exponentials_per_s: Exponentials of numbers that are in the cache.
    """

    products_per_s: float
    bytes_per_s: float
    exponentials_per_s: float = math.inf

    def floor(self, *, products: float, num_bytes: float = 0.0, exponentials: float = 0.0) -> Floor:
        """The least time: products, bytes and exponentials one after the other."""
        parts = {
            "products": products / self.products_per_s,
            "bytes": num_bytes / self.bytes_per_s,
            "exponentials": exponentials / self.exponentials_per_s,
        }
        return Floor(seconds=sum(parts.values()), binds=max(parts, key=lambda name: parts[name]))


def measured_rates(budget_s: float) -> Rates:
    """Measure products of 1,024 x 1,024, copies of 128 MiB and exponentials of 1 MiB."""
    torch.manual_seed(0)
    square, source = torch.randn(1024, 1024), torch.zeros(1 << 25)
    target = torch.ones_like(source)
    few = torch.zeros(CHUNK_EXPONENTIALS)
    candidates = {"product": lambda: square @ square, "copy": lambda: target.copy_(source), "exp": few.exp}
    timing = take_turns(candidates, budget_s=budget_s, max_turns=15)
    return Rates(
        products_per_s=2 * 1024**3 / timing.median("product"),
        bytes_per_s=2 * FLOAT_BYTES * source.numel() / timing.median("copy"),
        exponentials_per_s=CHUNK_EXPONENTIALS / timing.median("exp"),
    )


def composing(num_merges: int, dimension: int, channel_size: int) -> float:
    """Operations of composing (or decomposing) so many nodes by an affine cell: ``4 U`` a value."""
    return 4.0 * channel_size * dimension * num_merges


def finding(num_merges: int, dimension: int, channel_size: int) -> float:
    """Operations of greedy induction: a merge composes, takes one norm and two inner products."""
    return composing(num_merges, dimension, channel_size) + 6.0 * dimension * num_merges


def contrasting(num_nodes: int, dimension: int) -> float:
    """Operations of the node-contrastive loss: three products of all nodes with all nodes."""
    return 2.0 * PASSES_WITH_GRADIENTS * num_nodes**2 * dimension


def recovering(num_words: int, vocab_size: int, dimension: int) -> float:
    """Operations of cross-entropy over the vocabulary: logits, and both of their gradients."""
    return 2.0 * PASSES_WITH_GRADIENTS * num_words * vocab_size * dimension


def adam_bytes(num_weights: int) -> float:
    """Bytes that a step of dense Adam moves."""
    return float(ADAM_PASSES * FLOAT_BYTES * num_weights)
