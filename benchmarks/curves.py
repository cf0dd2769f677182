"""How cost grows: a training step against batch, sentence length and vocabulary; encoding against the corpus."""

from collections.abc import Callable
from typing import Any

import torch
from benchmarks.floors import Floor, Rates, adam_bytes, composing, contrasting, finding
from benchmarks.interleaved import take_turns
from benchmarks.memory import extra_memory_mib
from benchmarks.tree_workload import ContrastiveStep, leaves_of, models_of, warmed
from torch import nn

DIMENSION, CHANNEL_SIZE = 100, 10


def cost(work: Callable[[], Any], *, size: int, num_tokens: int, floor: Floor, budget_s: float) -> dict[str, Any]:
    """Time one point of a curve."""
    seconds = take_turns({"ours": work}, budget_s=budget_s, max_turns=5).median("ours")
    return {
        "size": size,
        "seconds": seconds,
        "floor_seconds": floor.seconds,
        "num_tokens": num_tokens,
        "tokens_per_second": num_tokens / seconds,
    }


def step_floor(step: ContrastiveStep, rates: Rates) -> tuple[int, Floor]:
    """Tokens of a contrastive step, and its least time."""
    num_tokens = leaves_of(step.encoder, step.sentences).num_tokens
    num_merges = int((num_tokens - 1).clip(0).sum())
    num_nodes = int(num_tokens.sum()) + num_merges
    dimension, size = step.encoder.get_embedding_dimension(), step.encoder.options.channel_size
    products = finding(num_merges, dimension, size) + 5 * composing(num_merges, dimension, size)  # down; both backward
    products += contrasting(num_nodes, dimension)
    num_weights = sum(parameter.numel() for parameter in step.parameters)
    work = {"products": products, "num_bytes": adam_bytes(num_weights), "exponentials": num_nodes**2}
    return int(num_tokens.sum()), rates.floor(**work)


def step_cost(step: ContrastiveStep, *, size: int, rates: Rates, budget_s: float) -> dict[str, Any]:
    """Time a training step, as the trainer takes it."""
    num_tokens, floor = step_floor(step, rates)
    with step.as_trained():
        return cost(step, size=size, num_tokens=num_tokens, floor=floor, budget_s=budget_s)


def step_of(sentences: list[str], vocab_size: int, num_rows: int | None = None) -> ContrastiveStep:
    """A step, its kernels compiled; with a table of ``num_rows`` rows, of which the tokenizer knows the first."""
    width = models_of(sentences, dimension=DIMENSION, vocab_size=vocab_size)
    if num_rows is not None:
        width.encoder.embedding = nn.Embedding(num_rows, DIMENSION)
    return warmed(ContrastiveStep(width, sentences))


def batch_curve(
    sentences: list[str], sizes: tuple[int, ...], vocab_size: int, rates: Rates, budget_s: float
) -> list[dict[str, Any]]:
    """A training step by sentences a batch; extra memory beside it."""
    points: list[dict[str, Any]] = []
    for size in sizes:
        point = step_cost(step_of(sentences[:size], vocab_size), size=size, rates=rates, budget_s=budget_s)
        memory = extra_memory_mib(step_of, sentences[:size], vocab_size)
        points.append({**point, "extra_memory_mib": round(memory, 1)})
    return points


def length_curve(
    sentences: list[str], sizes: tuple[int, ...], vocab_size: int, rates: Rates, budget_s: float
) -> list[dict[str, Any]]:
    """A training step by words a sentence, of as many sentences as make the same number of words."""
    step = step_of(sentences, vocab_size)
    words, num_words = " ".join(sentences).split(), max(sizes)
    assert len(words) >= num_words, f"{len(words)} words make no sentence of {num_words}"
    points: list[dict[str, Any]] = []
    for size in sizes:
        ends = range(size, num_words + 1, size)
        step.sentences = [" ".join(words[end - size : end]) for end in ends]
        points.append(step_cost(step, size=size, rates=rates, budget_s=budget_s))
    return points


def vocabulary_curve(
    sentences: list[str], sizes: tuple[int, ...], vocab_size: int, rates: Rates, budget_s: float
) -> list[dict[str, Any]]:
    """A training step by rows of the embedding table, of which the batch always touches the same."""
    steps = [(size, step_of(sentences, min(vocab_size, size), size)) for size in sizes]
    return [step_cost(step, size=size, rates=rates, budget_s=budget_s) for size, step in steps]


def corpus_curve(
    sentences: list[str], sizes: tuple[int, ...], vocab_size: int, rates: Rates, budget_s: float
) -> list[dict[str, Any]]:
    """Encoding by sentences of the corpus."""
    width = models_of(sentences, dimension=DIMENSION, vocab_size=vocab_size)
    points: list[dict[str, Any]] = []
    for size in sizes:
        texts = (sentences * (size // len(sentences) + 1))[:size]
        num_tokens, floor = encoding_floor(width.encoder, texts, rates)
        points.append(
            cost(
                lambda texts=texts: width.model.encode(texts, batch_size=1024),
                size=size,
                num_tokens=num_tokens,
                floor=floor,
                budget_s=budget_s,
            )
        )
    return points


def encoding_floor(encoder: Any, texts: list[str], rates: Rates) -> tuple[int, Floor]:
    """Tokens of texts, and the least time to find their trees and to read and write their embeddings."""
    num_tokens = leaves_of(encoder, texts).num_tokens
    dimension, size = encoder.get_embedding_dimension(), encoder.options.channel_size
    products = finding(int((num_tokens - 1).clip(0).sum()), dimension, size)
    num_bytes = torch.finfo(torch.float32).bits / 8 * dimension * (2 * int(num_tokens.sum()) + len(texts))
    return int(num_tokens.sum()), rates.floor(products=products, num_bytes=num_bytes)
