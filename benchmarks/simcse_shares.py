"""What each idea gives to the training of a small transformer: all of them, all but one, and the host's trainer.

    python -m benchmarks.simcse_shares [--base FOLDER] [--compile] [--bf16] [--only NAME ...]

Unsupervised contrastive training of 64 sentences a step, as `make bench` times it, in turns. Without a base
the transformer is an untrained one of 2 layers of 128. ``--compile`` adds ``torch.compile``, ``--bf16`` bfloat16.
"""

import argparse
import contextlib
from collections.abc import Callable, Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import torch
from benchmarks.interleaved import take_turns
from benchmarks.transformer_workload import host_training, our_training, small_transformer
from benchmarks.tree_workload import docstring_sentences

from selfsent.losses import info_nce, sentence_pass
from selfsent.training import trainer


def nothing(_: object) -> contextlib.AbstractContextManager[None]:
    """Stand for a context that changes nothing."""
    return contextlib.nullcontext()


@contextlib.contextmanager
def padded_rows() -> Generator[None]:
    """Pad all rows to the longest."""
    with (
        mock.patch.object(sentence_pass, "packing_transformer", return_value=None),
        mock.patch.object(sentence_pass, "ROWS_A_GROUP", 1 << 30),
    ):
        yield


WITHOUT: dict[str, Callable[[], Any]] = {
    "one pass for both views": lambda: mock.patch.object(info_nce, "embed_columns", sentence_pass.embed_each_column),
    "rows without padding, but with groups of like length": lambda: mock.patch.object(
        sentence_pass, "packing_transformer", return_value=None
    ),
    "rows without padding": padded_rows,
    "dropout from 16 bits": lambda: mock.patch.object(trainer, "fast_dropout", nothing),
    "one gradient of the table a step": lambda: mock.patch.object(trainer, "gathered_embedding_gradients", nothing),
}
"""What to put in the place of each idea to do without it."""


@contextlib.contextmanager
def without_any() -> Generator[None]:
    """Do without all of them."""
    with contextlib.ExitStack() as stack:
        for replace in WITHOUT.values():
            stack.enter_context(replace())
        yield


def within(context: Callable[[], Any], run: Callable[[], float]) -> Callable[[], float]:
    """Run something in a context of its own."""

    def wrapped() -> float:
        with context():
            return run()

    return wrapped


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, help="folder of a transformer; default: an untrained small one")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--budget", type=float, default=120.0, help="seconds of timing, about")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="ideas to do without in turn; default: all")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--bf16", action="store_true")
    options = parser.parse_args()
    sentences = docstring_sentences(64 * options.steps)[: 64 * options.steps]
    with TemporaryDirectory() as folder:
        base = options.base or small_transformer(sentences, Path(folder), vocab_size=25_000)
        candidates = {
            "host": host_training(base, sentences, batch_size=64),
            "ours": our_training(base, sentences, batch_size=64),
        }
        for name in WITHOUT if options.only is None else options.only:
            candidates[f"without {name}"] = within(WITHOUT[name], our_training(base, sentences, batch_size=64))
        candidates["without any"] = within(without_any, our_training(base, sentences, batch_size=64))
        if options.compile:
            candidates["ours, compiled"] = our_training(base, sentences, batch_size=64, torch_compile=True)
        if options.bf16:
            candidates["ours, bf16"] = our_training(base, sentences, batch_size=64, bf16=True)
        timing = take_turns(candidates, budget_s=options.budget, returns_seconds=True)
    num_turns = len(timing.seconds["ours"])
    print(f"{options.steps - 1} steps of 64 sentences, {torch.get_num_threads()} threads, {num_turns} turns")
    print("| candidate | seconds | over ours | range |\n|---|---:|---:|---:|")
    for name in candidates:
        low, high = timing.spread(name, "ours")
        print(f"| {name} | {timing.median(name):.2f} | {timing.ratio(name, 'ours'):.2f} | {low:.2f} to {high:.2f} |")


if __name__ == "__main__":
    main()
