"""Sentences a second that models of every family encode on one thread; results/encoding-speed.json keeps them.

    SELFSENT_DATA=DIR SELFSENT_MODELS=DIR python -m benchmarks.encoding_speed

Models take turns on the same sentences of Wikipedia, in batches of 64. What is not a pretrained model is trained for a
step on 20,000 of them: a rate depends on the shape of a model, hardly on its weights.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numba
import torch
from benchmarks.interleaved import take_turns
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from selfsent.atomic import write_text
from selfsent.data.sources import open_source
from selfsent.data.tokenizer import train_tokenizer
from selfsent.loading import load
from selfsent.methods.starting_model import open_transformer
from selfsent.provenance import commit, machine
from selfsent.runs.train import train

OUTPUT = Path(__file__).parents[1] / "results" / "encoding-speed.json"
_TRAINED_ROWS = 20_000
_BUDGET_S = 300.0
_TRAINED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "tree-10m": ("tree-10m", {}),
    "balanced trees": ("strae", {"structure": "balanced", "composition_init": "sum"}),
    "random trees": ("strae", {"structure": "random", "composition_init": "sum"}),
    "chains": ("strae", {"structure": "right", "composition_init": "sum"}),
    "induced trees": ("self-strae", {"composition_init": "sum"}),
    "fastText": ("fasttext", {}),
}
_STUDENT_WIDTH = 384
_LAYERS = {"MiniLM, one layer": 1, "MiniLM, two layers": 2, "MiniLM, three layers": 3}


def encoders(sentences: str, models: Path, folder: Path) -> Iterator[tuple[str, SentenceTransformer]]:
    """Yield a model of every shape with its name.

    Args:
        sentences: The source that models are trained on for a step.
        models: Folder with ``bert-tiny-wiki34m`` and ``all-MiniLM-L6-v2``.
        folder: Where trained models go.
    """
    teacher = str(models / "all-MiniLM-L6-v2")
    tokenizer = train_tokenizer(open_source(sentences, max_rows=_TRAINED_ROWS).texts())
    table = StaticEmbedding(tokenizer.backend_tokenizer, embedding_dim=_STUDENT_WIDTH)
    yield "static student", SentenceTransformer(modules=[table], device="cpu")
    for name, (method, options) in _TRAINED.items():
        steps = {"num_train_epochs": 1} if method == "fasttext" else {"max_steps": 1}
        train(method, sentences, folder / name, max_rows=_TRAINED_ROWS, training=steps, device="cpu", **options)
        yield name, load(str(folder / name), device="cpu")
    yield "BERT, two layers of 128", load(str(models / "bert-tiny-wiki34m"), device="cpu")
    for name, num_layers in _LAYERS.items():
        yield (
            name,
            open_transformer(teacher, pooling="mean", max_seq_length=256, num_layers=num_layers, device="cpu"),
        )
    yield "MiniLM", load(teacher, device="cpu")


def main() -> int:
    """Measure all of them, and write and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-sentences", type=int, default=2000)
    num_sentences = parser.parse_args().num_sentences
    os.environ["RAYON_NUM_THREADS"] = "1"  # of the tokenizers
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    sentences = str(Path(os.environ["SELFSENT_DATA"], "corpus", "enwiki-sentences.txt.xz"))
    texts = list(open_source(sentences, max_rows=num_sentences).texts())
    with tempfile.TemporaryDirectory() as folder:
        found = dict(encoders(sentences, Path(os.environ["SELFSENT_MODELS"]), Path(folder)))
        calls = {name: partial(model.encode, texts, batch_size=64) for name, model in found.items()}
        timing = take_turns(calls, budget_s=_BUDGET_S, min_turns=3)
    rates = {name: len(texts) / timing.median(name) for name in found}
    content = {
        "sentences_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "slowest_and_fastest_turn": {
            name: [round(len(texts) / pick(timing.seconds[name]), 1) for pick in (max, min)] for name in found
        },
        "num_sentences": len(texts),
        "words_a_sentence": round(statistics.fmean(len(text.split()) for text in texts), 1),
        "commit": commit(),
        "machine": {name: value for name, value in machine().items() if name != "system"},
    }
    write_text(OUTPUT, json.dumps(content, indent=2) + "\n")
    for name, rate in rates.items():
        print(f"{name:26s} {rate:10,.0f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
