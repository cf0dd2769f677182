"""Fewer dimensions: what is kept, and where the projection stands."""

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tests.runtime.host_models import saved, tree
from transformers import PreTrainedTokenizerFast

from selfsent.export.fewer_dimensions import directions_of, narrowed
from selfsent.modules import TreeEncoder
from selfsent.runtime import open_model

KINDS = ["tree", "sum", "weighted", "static", "static-normalised", "static-dense", "pooled-mean", "tree-normalised"]


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_are_the_projected_ones(
    kind: str, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, sentences: list[str]
) -> None:
    model = saved(kind, tiny_tokenizer, tmp_path / "model", {"query": "the "})
    before = np.asarray(model.encode(sentences))
    directions = directions_of(before, before.shape[1], 6)
    narrow = narrowed(model, directions)
    after = np.asarray(narrow.encode(sentences))
    expected = before @ directions
    if isinstance(list(model.children())[-1], Normalize):
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert after.shape == (len(sentences), 6)
    assert np.allclose(after, expected, atol=1e-5)
    assert narrow.prompts == model.prompts
    narrow.save_pretrained(str(tmp_path / "narrow"))
    ours = open_model(tmp_path / "narrow")
    assert ours is not None
    assert np.allclose(ours.encode(sentences), after, atol=1e-6)


def test_a_sum_and_a_static_table_are_projected_where_they_stand(
    tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    directions = directions_of(None, 24, 10)
    encoder = tree(tiny_tokenizer, composition_init="sum", channels=6, channel_size=4, frequency_weight=0.001)
    (narrow,) = narrowed(SentenceTransformer(modules=[encoder], device="cpu"), directions).children()
    assert isinstance(narrow, TreeEncoder)
    assert (narrow.options.channels, narrow.options.channel_size) == (5, 2)
    assert narrow.adds_leaves
    static = saved("static-normalised", tiny_tokenizer, tmp_path)
    first, last = narrowed(static, directions_of(None, 16, 4)).children()
    assert isinstance(first, StaticEmbedding)
    assert isinstance(last, Normalize)
    middle = list(narrowed(saved("tree-normalised", tiny_tokenizer, tmp_path), directions).children())[1]
    assert isinstance(middle, Dense)


def test_cutting_keeps_the_first_values(
    tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, sentences: list[str]
) -> None:
    model = saved("static", tiny_tokenizer, tmp_path)
    found = narrowed(model, directions_of(None, 16, 5)).encode(sentences)
    assert np.allclose(found, np.asarray(model.encode(sentences))[:, :5], atol=1e-6)


def test_principal_directions_keep_cosines_better_than_the_first_values(
    tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, sentences: list[str]
) -> None:
    model = saved("static", tiny_tokenizer, tmp_path)
    vectors = np.asarray(model.encode(sentences))

    def error(directions: np.ndarray) -> float:
        projected = vectors @ directions
        return float(np.abs(projected @ projected.T - vectors @ vectors.T).sum())

    assert error(directions_of(vectors, 16, 5)) < error(directions_of(None, 16, 5))
    assert error(directions_of(vectors, 16, 16)) == pytest.approx(0, abs=1e-4)
