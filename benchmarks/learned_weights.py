"""Learn weights of tokens without labels: what lets sums of words find the text that belongs to theirs."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from selfsent.counts.tokenized_texts import TokenizedTexts
from selfsent.losses.functional import info_nce

_RATE, _TEMPERATURE = 0.01, 0.025

Floats = NDArray[Any]


def learned(
    texts: TokenizedTexts,
    table: Floats,
    *,
    groups: NDArray[np.int64],
    start: Floats,
    halves: bool,
    seed: int,
    num_steps: int = 500,
    batch_size: int = 256,
) -> Floats:
    """Learn a factor for each group of ids, by which texts that belong together are found among others.

    The sums of two sentences side by side, or of the halves of a sentence, are contrasted (InfoNCE, both directions).

    Args:
        texts: The corpus.
        table: Vectors of the ids; they stay as they are.
        groups: The group of each id.
        start: Weights of the ids at the start.
        halves: Whether halves of a sentence belong together; otherwise a sentence and the next.
        seed: Random seed of the batches.
        num_steps: Steps of learning.
        batch_size: Pairs in a step.

    Returns:
        Weights of the ids.
    """
    draws = np.random.default_rng(seed)
    rows, of_id, begun = torch.from_numpy(table), torch.from_numpy(groups), torch.from_numpy(start.astype(np.float32))
    logarithms = torch.zeros(int(groups.max()) + 1, requires_grad=True)
    optimizer = torch.optim.Adam([logarithms], lr=_RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=num_steps)
    for _ in range(num_steps):
        sums: list[torch.Tensor] = []
        for firsts, ends in _sides(texts, draws.choice(len(texts) - 1, batch_size, replace=False), halves=halves):
            spans = [texts.ids[first:end] for first, end in zip(firsts, ends, strict=True)]
            ids = torch.from_numpy(np.concatenate(spans).astype(np.int64))
            offsets = torch.from_numpy(np.cumsum([0, *map(len, spans[:-1])]))
            weights = begun[ids] * logarithms[of_id[ids]].exp()
            summed = functional.embedding_bag(ids, rows, offsets, mode="sum", per_sample_weights=weights)
            sums.append(summed)
        loss = info_nce(sums[0], sums[1], temperature=_TEMPERATURE, symmetric=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return (begun * logarithms.detach().exp()[of_id]).numpy()


def _sides(texts: TokenizedTexts, drawn: NDArray[np.int64], *, halves: bool) -> list[tuple[Floats, Floats]]:
    """Where the left and the right texts of pairs begin and end among the tokens."""
    first, last = texts.starts[drawn], texts.starts[drawn + 1]
    if halves:
        middle = (first + last) // 2
        return [(first, middle), (middle, last)]
    return [(first, last), (last, texts.starts[drawn + 2])]
