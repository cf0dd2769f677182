"""Saved models of the host, of every kind that the runtime opens."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from torch import nn
from transformers import PreTrainedTokenizerFast

from selfsent.modules import TokenEmbeddings, TreeEncoder
from selfsent.modules.weighted_embedding import FrequencyWeightedEmbedding

Make = Callable[[PreTrainedTokenizerFast], list[Any]]


def tree(tokenizer: PreTrainedTokenizerFast, **settings: Any) -> TreeEncoder:
    """A tree encoder of 24 values with random weights; frequent tokens count less where it is weighted."""
    encoder = TreeEncoder(tokenizer=tokenizer, **({"channels": 6, "channel_size": 4} | settings))
    if isinstance(encoder.embedding, FrequencyWeightedEmbedding):
        encoder.embedding.count(np.arange(len(tokenizer)))
    return encoder


def static(tokenizer: PreTrainedTokenizerFast) -> StaticEmbedding:
    """Random static embeddings of 16 values."""
    return StaticEmbedding(tokenizer.backend_tokenizer, embedding_dim=16)


KINDS: dict[str, Make] = {
    "tree": lambda t: [tree(t)],
    "sum": lambda t: [tree(t, composition_init="sum", channels=24, channel_size=1)],
    "diagonal": lambda t: [tree(t, cell="diagonal")],
    "neighbours": lambda t: [tree(t, context="neighbours")],
    "weighted": lambda t: [tree(t, frequency_weight=0.001)],
    "cut": lambda t: [tree(t, max_seq_length=5)],
    "balanced": lambda t: [tree(t, structure="balanced")],
    "right": lambda t: [tree(t, structure="right", cell="diagonal")],
    "left": lambda t: [tree(t, structure="left")],
    "random": lambda t: [tree(t, structure="random")],
    "tree-normalised": lambda t: [tree(t), Normalize()],
    "tree-pooled": lambda t: [tree(t), Pooling(24, pooling_mode="mean")],
    "static": lambda t: [static(t)],
    "static-normalised": lambda t: [static(t), Normalize()],
    "static-dense": lambda t: [static(t), Dense(16, 8)],
    "static-linear": lambda t: [static(t), Dense(16, 8, bias=False, activation_function=nn.Identity())],
    "pooled-mean": lambda t: [TokenEmbeddings(tokenizer=t, dimension=12), Pooling(12, pooling_mode="mean")],
    "pooled-max-mean": lambda t: [
        TokenEmbeddings(tokenizer=t, dimension=12),
        Pooling(12, pooling_mode=("max", "mean")),
    ],
}


def saved(
    kind: str, tokenizer: PreTrainedTokenizerFast, folder: Path, prompts: dict[str, str] | None = None, **options: Any
) -> SentenceTransformer:
    """Make a model of a kind, save it in a folder, and give it."""
    torch.manual_seed(7)
    model = SentenceTransformer(modules=KINDS[kind](tokenizer), device="cpu", prompts=prompts, **options)
    model.save_pretrained(str(folder))
    return model


def all_saved(tokenizer: PreTrainedTokenizerFast, folder: Path) -> Iterator[tuple[str, SentenceTransformer]]:
    """Make and save one model of each kind."""
    for kind in KINDS:
        yield kind, saved(kind, tokenizer, folder / kind)
