"""Translation ranking on two ranks: their averaged gradients are those of one process with both halves of the batch."""

from functools import partial
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.modules.transformer_models import open_bert, write_bert
from tests.processes import on_two_ranks

from selfsent.losses.translation_ranking import TranslationRankingLoss

TEXTS = [f"sentence {number} of the text" for number in range(8)]
TARGETS = [f"satz {number * 3} im text" for number in range(8)]


def gradient(base: str, rows: slice, mini_batch_size: int | None) -> torch.Tensor:
    model = SentenceTransformer(modules=[open_bert(Path(base)), Pooling(16)], device="cpu").eval()
    loss = TranslationRankingLoss(model, mini_batch_size=mini_batch_size)
    sum(loss([model.preprocess(TEXTS[rows]), model.preprocess(TARGETS[rows])]).values()).backward()
    return model[0].model.get_input_embeddings().weight.grad


def gradient_of_a_rank(rank: int, base: str, mini_batch_size: int | None) -> torch.Tensor:
    return gradient(base, slice(4 * rank, 4 * rank + 4), mini_batch_size)


@pytest.mark.parametrize("mini_batch_size", [None, 2])
def test_negatives_of_both_ranks_are_seen_with_and_without_cached_gradients(tmp_path, mini_batch_size):
    base = str(write_bert(tmp_path / "base", [*TEXTS, *TARGETS]))
    ranks = on_two_ranks(partial(gradient_of_a_rank, base=base, mini_batch_size=mini_batch_size))
    alone = gradient(base, slice(0, 8), None)
    torch.testing.assert_close(sum(ranks) / 2, alone, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(ranks[0], ranks[1])
