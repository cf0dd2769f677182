"""Translation ranking on two ranks: their averaged gradients are those of one process with both halves of the batch."""

import os
import socket
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.modules.transformer_models import open_bert, write_bert
from tests.training.tiny_run import fork

from selfsent.losses.translation_ranking import TranslationRankingLoss

TEXTS = [f"sentence {number} of the text" for number in range(8)]
TARGETS = [f"satz {number * 3} im text" for number in range(8)]


def gradient(base: str, rows: slice, mini_batch_size: int | None) -> torch.Tensor:
    model = SentenceTransformer(modules=[open_bert(Path(base)), Pooling(16)], device="cpu").eval()
    loss = TranslationRankingLoss(model, mini_batch_size=mini_batch_size)
    sum(loss([model.preprocess(TEXTS[rows]), model.preprocess(TARGETS[rows])]).values()).backward()
    return model[0].model.get_input_embeddings().weight.grad


def rank_gradient(rank: int, port: int, base: str, mini_batch_size: int | None, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    found = gradient(base, slice(4 * rank, 4 * rank + 4), mini_batch_size)
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("mini_batch_size", [None, 2])
def test_negatives_of_both_ranks_are_seen_with_and_without_cached_gradients(tmp_path, mini_batch_size):
    base = str(write_bert(tmp_path / "base", [*TEXTS, *TARGETS]))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = [fork(rank_gradient, rank, port, base, mini_batch_size, str(tmp_path)) for rank in range(2)]
    for process in processes:
        process.join(timeout=120)
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    alone = gradient(base, slice(0, 8), None)
    torch.testing.assert_close(sum(ranks) / 2, alone, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(ranks[0], ranks[1])
