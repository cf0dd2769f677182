"""Runs on disk, shared by the tests of comparing and of the command line."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tests.evaluation.evaluation_data import write_jsonl
from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Runs:
    """Two model folders of different width, and evaluation data they can be scored on."""

    narrow: Path
    wide: Path
    data: Path


@pytest.fixture
def runs(tiny_tokenizer: PreTrainedTokenizerFast, sentences: list[str], tmp_path: Path) -> Runs:
    """Saved models ``width8`` and ``width16``, and STS-B of a dozen pairs."""
    for width in (8, 16):
        static = StaticEmbedding(tiny_tokenizer.backend_tokenizer, embedding_dim=width)
        SentenceTransformer(modules=[static], device="cpu").save(str(tmp_path / f"width{width}"))
    rows = [
        {"sentence1": one, "sentence2": other, "score": 5.0 * (number % 2) + number / 100}
        for number, (one, other) in enumerate(pairwise(sentences))
    ]
    write_jsonl(tmp_path / "data/sts/STSBenchmark/test.jsonl", rows)
    return Runs(tmp_path / "width8", tmp_path / "width16", tmp_path / "data")
