"""Sentences that are sums of their tokens: equal to what a tree composes, and no tree is found unasked."""

import pytest
import torch
from sentence_transformers import SentenceTransformer

from selfsent.modules import TreeEncoder
from selfsent.modules.composition import AffineComposition, DiagonalComposition
from selfsent.modules.leaf_sums import FeaturesOnDemand, adds_children, leaf_sums

TEXTS = ["the cat sat on the mat", "", "the", "a dog and a cat"]


@pytest.fixture
def encoder(tiny_tokenizer):
    torch.manual_seed(0)
    return TreeEncoder(tokenizer=tiny_tokenizer, channels=3, channel_size=2, composition_init="sum").eval()


def test_a_cell_adds_its_children_only_as_long_as_it_is_exactly_the_sum():
    cell = AffineComposition(3, init="sum")
    assert adds_children(cell)
    with torch.no_grad():
        cell.linear.bias[1] = 1e-3
    assert not adds_children(cell)
    assert not adds_children(AffineComposition(3))
    assert not adds_children(DiagonalComposition(3, init="sum"))


def test_sums_are_those_of_the_rows_of_each_sentence():
    table = torch.nn.Embedding.from_pretrained(torch.tensor([[1.0, 0.0], [0.0, 2.0], [4.0, 4.0]]))
    sums = leaf_sums(table, torch.tensor([0, 1, 1, 2]), torch.tensor([3, 0, 1]))
    assert sums.tolist() == [[1.0, 4.0], [0.0, 0.0], [4.0, 4.0]]


@pytest.mark.parametrize("frequency_weight", [0.0, 0.01])
def test_sums_are_what_the_trees_compose(tiny_tokenizer, frequency_weight):
    options = {"channels": 3, "channel_size": 2, "composition_init": "sum", "frequency_weight": frequency_weight}
    encoder = TreeEncoder(tokenizer=tiny_tokenizer, **options).eval()
    if frequency_weight:
        encoder.embedding.count(torch.arange(1, len(tiny_tokenizer) + 1).numpy())
    by_trees = encoder(encoder.preprocess(TEXTS))  # a gradient is wanted, so the trees are composed
    with torch.no_grad():
        summed = encoder(encoder.preprocess(TEXTS))
    assert isinstance(summed, FeaturesOnDemand)
    assert not isinstance(by_trees, FeaturesOnDemand)
    torch.testing.assert_close(summed["sentence_embedding"], by_trees["sentence_embedding"].detach())
    torch.testing.assert_close(summed["token_embeddings"], _tokens_without_dropout(encoder))
    found, wanted = summed["trees"].trees, by_trees["trees"].trees
    assert (found.left == wanted.left).all() and (found.right == wanted.right).all()  # noqa: PT018


def _tokens_without_dropout(encoder):
    return encoder(encoder.preprocess(TEXTS))["token_embeddings"].detach()


def test_encoding_finds_no_tree_where_the_cell_adds_its_children(encoder, monkeypatch):
    monkeypatch.setattr(AffineComposition, "induce", None)
    vectors = SentenceTransformer(modules=[encoder], device="cpu").encode(TEXTS)
    assert vectors.shape == (4, 6)
    assert not vectors[1].any()


def test_all_features_are_there_for_those_who_list_them():
    calls = []
    features = FeaturesOnDemand({"a": 1}, {"b": lambda: calls.append("b") or 2})
    assert "b" in features and list(features) == ["a", "b"] and len(features) == 2 and not calls  # noqa: PT018
    assert features["b"] == features["b"] == 2
    assert calls == ["b"]
    assert dict(FeaturesOnDemand({"a": 1}, {"b": lambda: 2})) == {"a": 1, "b": 2}
    assert dict(FeaturesOnDemand({"a": 1}, {"b": lambda: 2}).items()) == {"a": 1, "b": 2}
    with pytest.raises(KeyError, match="c"):
        features["c"]
