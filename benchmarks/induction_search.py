"""Greedy, beam and chart induction of one model side by side: seconds, total similarity, and F1 against treebanks.

``python -m benchmarks.induction_search MODEL CORPUS [DATA_DIR]`` prints tables. Times are processor seconds of one
thread over the same sentences, the least of three turns taken one after another.
"""

import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from selfsent.data.sources import open_source
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks.structure import Treebank, find_treebanks, score_trees, tree_spans
from selfsent.kernels.affine_passes import affine_upward
from selfsent.loading import load
from selfsent.modules.tree_encoder import TreeEncoder
from selfsent.modules.tree_finder import SearchOptions
from selfsent.parsing.brackets import read_bracketed_file
from selfsent.trees.arrays import TreeBatch

SEARCHES = [("greedy", 1), ("beam", 2), ("beam", 4), ("beam", 16), ("chart", 1), ("chart", 2), ("chart", 4)]
NUM_SENTENCES = 1000
NUM_TREES = 1000
NUM_TURNS = 3


def leaves_of(encoder: TreeEncoder, texts: list[str]) -> tuple[Tensor, np.ndarray]:
    """Leaf embeddings and lengths of texts."""
    features = encoder.preprocess(texts)
    mask = features["attention_mask"].bool()
    return encoder.embedding(features["input_ids"][mask]), mask.sum(dim=1).numpy()


def mean_similarity(encoder: TreeEncoder, leaves: Tensor, trees: TreeBatch) -> float:
    """Mean cosine of the pairs that are merged."""
    up = affine_upward(leaves, trees, encoder.composition.linear)
    return float(functional.cosine_similarity(up[trees.left], up[trees.right]).mean())


def least_seconds(run: Callable[[], object]) -> float:
    """Processor seconds of the fastest of some turns."""
    seconds = []
    for _ in range(NUM_TURNS):
        started = time.process_time()
        run()
        seconds.append(time.process_time() - started)
    return min(seconds)


def main(model: str, corpus: str, data_dir: str | None = None) -> None:
    """Measure every search and print a row each."""
    encoder = load(model, device="cpu").eval()[0]
    texts = list(islice(open_source(corpus).texts(), NUM_SENTENCES))
    banks = find_treebanks(Path(data_dir)) if data_dir else {}
    treebanks = {name: Treebank.of(islice(read_bracketed_file(path), NUM_TREES)) for name, path in banks.items()}
    print("| search | ms a sentence | mean cosine of merged pairs |", *(f"{name} F1 |" for name in treebanks))
    print("|---|---|---|" + "---|" * len(treebanks))
    with torch.no_grad():
        leaves, lengths = leaves_of(encoder, texts)
        for inducer, beam_size in SEARCHES:
            encoder.search = SearchOptions(inducer=inducer, beam_size=beam_size)
            trees = encoder.compose(leaves, lengths).trees
            seconds = least_seconds(lambda: encoder.compose(leaves, lengths))
            cells = [f"{inducer} {beam_size}", f"{1000 * seconds / len(texts):.3f}"]
            cells.append(f"{mean_similarity(encoder, leaves, trees):.4f}")
            for name, treebank in treebanks.items():
                spans = tree_spans(encoder, treebank.sentences)
                score = score_trees(name, spans, treebank, SuiteOptions(num_resamples=200))
                cells.append(f"{100 * score.value:.2f} ({100 * score.ci95[0]:.1f} to {100 * score.ci95[1]:.1f})")
            print("|", " | ".join(cells), "|", flush=True)
        print("\n| tokens of one sentence |", " | ".join(f"{inducer} {size}" for inducer, size in SEARCHES), "|")
        print("|---|" + "---|" * len(SEARCHES))
        for num_tokens in (500, 1000, 2000, 4000, 8000):
            ids = torch.randint(
                2, len(encoder.embedding.weight), (num_tokens,), generator=torch.Generator().manual_seed(0)
            )
            row = []
            for inducer, beam_size in SEARCHES:
                encoder.search = SearchOptions(inducer=inducer, beam_size=beam_size)
                one = (encoder.embedding(ids), np.array([num_tokens]))
                row.append(f"{1000 * least_seconds(lambda one=one: encoder.compose(*one)):.1f} ms")
            print(f"| {num_tokens} |", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
