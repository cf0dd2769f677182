"""StrAE's objectives on a Tree-LSTM and an inside-outside network: values by the formulas, gradients, refusals."""

from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from selfsent.errors import UserError
from selfsent.losses import RecursiveNetworkLoss
from selfsent.losses.functional import node_contrastive
from selfsent.modules import RecursiveEncoder

NETWORKS = ("tree-lstm", "iornn")
OBJECTIVES = ("contrastive", "cross-entropy", "contrastive-cross-entropy")
UNEVEN = ["the cat sleeps", "a", "", "two dogs run along the beach in the morning"]
EVERY_CASE = pytest.mark.parametrize(
    ("network", "objective"), [(network, objective) for network in NETWORKS for objective in OBJECTIVES]
)


def loss_of(tokenizer: PreTrainedTokenizerFast, network: Any, **settings: Any) -> Any:
    torch.manual_seed(0)
    encoder = RecursiveEncoder(tokenizer=tokenizer, network=network, dimension=6, init_range=1.0)
    return RecursiveNetworkLoss(SentenceTransformer(modules=[encoder], device="cpu"), **settings)


def total(loss: Any, texts: list[str]) -> Tensor:
    found = loss([loss.model.preprocess(texts)], None)
    return torch.stack(list(found.values())).sum() if isinstance(found, dict) else found


@EVERY_CASE
def test_the_value_is_the_formulas(network: str, objective: Any, tiny_tokenizer: PreTrainedTokenizerFast):
    loss = loss_of(tiny_tokenizer, network, objective=objective, temperature=0.5).eval()
    features = loss.model.preprocess(UNEVEN)
    states = loss.model(dict(features))["trees"]
    up, down = states.up, loss.tree_pass.decoder(states)
    leaves, roots = states.trees.leaf_nodes.tolist(), [root for root in states.trees.roots.tolist() if root >= 0]
    left_out = {"tree-lstm": [], "iornn": roots}[network] + (leaves if objective != "contrastive" else [])
    contrasted = [node for node in range(len(up)) if node not in left_out]
    contrastive = node_contrastive(up[contrasted], down[contrasted], temperature=0.5)
    token_ids = features["input_ids"][features["attention_mask"].bool()]
    reconstruction = functional.cross_entropy(down[leaves] @ loss.model[0].embedding.weight.T, token_ids)
    expected = {
        "contrastive": contrastive,
        "cross-entropy": reconstruction,
        "contrastive-cross-entropy": (contrastive + reconstruction) / 2,
    }
    torch.testing.assert_close(total(loss, UNEVEN), expected[objective])


@EVERY_CASE
def test_gradients_reach_every_trainable_weight_and_are_finite(
    network: str, objective: Any, tiny_tokenizer: PreTrainedTokenizerFast, sentences: list[str]
):
    loss = loss_of(tiny_tokenizer, network, objective=objective, tied=False).train()
    total(loss, [*sentences, *UNEVEN]).backward()
    for name, parameter in loss.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@EVERY_CASE
def test_texts_of_one_token_or_none_and_of_five_hundred_stay_finite(
    network: str, objective: Any, tiny_tokenizer: PreTrainedTokenizerFast
):
    loss = loss_of(tiny_tokenizer, network, objective=objective).train()
    assert total(loss, ["", ""]).item() == 0.0
    for texts in (["a", "cat"], ["a", " ".join(["cat"] * 500)]):
        found = total(loss, texts)
        assert found.isfinite()
        found.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in loss.parameters())


@EVERY_CASE
def test_the_objective_falls_below_that_of_the_start(
    network: str, objective: Any, tiny_tokenizer: PreTrainedTokenizerFast, sentences: list[str]
):
    loss = loss_of(tiny_tokenizer, network, objective=objective)
    before = total(loss.eval(), sentences).item()
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.01)
    loss.train()
    for _ in range(15):
        optimizer.zero_grad()
        total(loss, sentences).backward()
        optimizer.step()
    assert total(loss.eval(), sentences).item() < before


def test_another_model_and_bad_settings_are_refused(
    tiny_static_model: SentenceTransformer, tiny_tokenizer: PreTrainedTokenizerFast
):
    with pytest.raises(UserError, match=r"recursive network.*StaticEmbedding"):
        RecursiveNetworkLoss(tiny_static_model)
    with pytest.raises(UserError, match="temperature=0"):
        loss_of(tiny_tokenizer, "iornn", temperature=0.0)
    with pytest.raises(UserError, match="dropout=1"):
        loss_of(tiny_tokenizer, "iornn", dropout=1.0)
