"""What SARCSE's encoder and reconstruction cost over SimCSE in training: time and memory of one step, by part.

``python -m benchmarks.sarcse_overhead --base FOLDER`` prints a table; without a base the transformer is an untrained
BERT of 2 layers of 128. A step is one loss and its gradients on the same sentences, without the optimizer.
"""

import argparse
import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from benchmarks.interleaved import take_turns
from benchmarks.memory import extra_memory_mib
from benchmarks.transformer_workload import small_transformer
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import nn

from selfsent.counts.token_frequencies import count_tokens
from selfsent.data.sources import open_source
from selfsent.losses import InfoNCELoss
from selfsent.losses.token_reconstruction import TokenReconstructionLoss
from selfsent.modules import TextCNN

CANDIDATES = ("SimCSE", "TextCNN", "mean and reconstruction", "SARCSE")
_VOCAB_SIZE = 30_000


def objective(name: str, base: str, sentences: list[str], channels: int) -> nn.Module:
    """Build a candidate's model and loss.

    Args:
        name: Name in ``CANDIDATES``: all have the same transformer; ``SimCSE`` pools by the mean.
        base: Folder or hub name of the transformer.
        sentences: What token frequencies are counted over.
        channels: Channels per kernel of the TextCNN and its decoder.
    """
    torch.manual_seed(0)
    transformer = Transformer(base, max_seq_length=32)
    width = int(transformer.get_embedding_dimension() or 0)
    has_cnn = name in {"TextCNN", "SARCSE"}
    encoder = TextCNN(embedding_dimension=width, channels=channels) if has_cnn else Pooling(width)
    model = SentenceTransformer(modules=[transformer, encoder], device="cpu").train()
    if name == "SimCSE":
        return InfoNCELoss(model)
    coefficient = 0.0 if name == "TextCNN" else 2.5e-4
    frequencies = count_tokens(sentences, model.tokenizer)
    return TokenReconstructionLoss(
        model, frequencies=frequencies, beta=coefficient, gamma=coefficient, components=False
    )


def step(name: str, base: str, sentences: list[str], channels: int) -> Callable[[], None]:
    """Prepare one training step of a candidate, tokenised; calling it computes the loss and all gradients."""
    loss = objective(name, base, sentences, channels)
    features = dict(loss.model.preprocess(sentences))

    def run() -> None:
        loss.zero_grad()
        loss([dict(features)]).backward()

    return run


def num_weights(loss: nn.Module) -> int:
    """Trainable weights of model and loss."""
    return sum(weight.numel() for weight in loss.parameters() if weight.requires_grad)


def measured(base: str, sentences: list[str], *, channels: int, budget_s: float) -> dict[str, dict[str, float]]:
    """Measure every candidate.

    Returns:
        By name: seconds of the median step, their ratio to SimCSE's, MiB that a first step takes above the model and
        its data (gradients included), trainable weights of model and loss.
    """
    steps = {name: step(name, base, sentences, channels) for name in CANDIDATES}
    timing = take_turns(steps, budget_s=budget_s, max_turns=25)
    return {
        name: {
            "seconds": timing.median(name),
            "ratio": timing.ratio(name, "SimCSE"),
            "step_memory_mib": extra_memory_mib(step, name, base, sentences, channels),
            "weights": num_weights(objective(name, base, sentences, channels)),
        }
        for name in CANDIDATES
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="folder or hub name of a transformer; default: an untrained small one")
    parser.add_argument("--data", default="docs:", help="source of sentences")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--channels", type=int, default=256)
    parser.add_argument("--budget", type=float, default=20.0, help="seconds of timing, about")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    sentences = list(islice(open_source(options.data).texts(), options.batch_size))
    with TemporaryDirectory() as folder:
        base = options.base or str(small_transformer(sentences * 20, Path(folder), vocab_size=_VOCAB_SIZE))
        figures = measured(base, sentences, channels=options.channels, budget_s=options.budget)
    print("| step of | seconds | over SimCSE | memory, MiB | weights |\n|---|---:|---:|---:|---:|")
    for name, row in figures.items():
        print(
            f"| {name} | {row['seconds']:.3f} | {row['ratio']:.2f} | {row['step_memory_mib']:,.0f}"
            f" | {row['weights']:,.0f} |"
        )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
