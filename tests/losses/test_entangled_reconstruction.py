"""Banyan's objective: what is shared between sentences, what is recovered, and what a saved model keeps."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

import selfsent
from selfsent.errors import UserError
from selfsent.losses.entangled_reconstruction import EntangledReconstructionLoss
from selfsent.modules import TreeEncoder


def tree_model(tokenizer: PreTrainedTokenizerBase, **settings: Any) -> SentenceTransformer:
    torch.manual_seed(0)
    encoder = TreeEncoder(tokenizer=tokenizer, **{"channels": 4, "channel_size": 2, "cell": "diagonal", **settings})
    return SentenceTransformer(modules=[encoder], device="cpu")


def entangled(model: SentenceTransformer, texts: list[str]) -> Any:
    return model({**model.preprocess(texts), "entangled": True})["trees"]


def test_a_sentence_is_the_same_entangled_or_alone(tiny_tokenizer: PreTrainedTokenizerBase, sentences: list[str]):
    model = tree_model(tiny_tokenizer).eval()
    states = entangled(model, sentences)
    expected = model(model.preprocess(sentences))
    roots = states.graph.node_of[expected["trees"].trees.roots.numpy()]
    torch.testing.assert_close(states.up[roots], expected["sentence_embedding"])


def test_the_loss_is_the_mean_over_words_that_the_batch_holds_however_often(
    tiny_tokenizer: PreTrainedTokenizerBase, sentences: list[str]
):
    model = tree_model(tiny_tokenizer)
    loss = EntangledReconstructionLoss(model).eval()
    graph = entangled(model, sentences).graph
    down = loss._downward(entangled(model, sentences))
    output = loss.index.output
    assert output is not None
    logits = output(down[: len(graph.token_ids)])
    expected = functional.cross_entropy(logits, torch.from_numpy(graph.token_ids))
    torch.testing.assert_close(loss([model.preprocess(sentences)]), expected)
    torch.testing.assert_close(loss([model.preprocess(sentences * 3)]), expected)


def test_two_columns_are_one_graph(tiny_tokenizer: PreTrainedTokenizerBase, sentences: list[str]):
    model = tree_model(tiny_tokenizer)
    loss = EntangledReconstructionLoss(model).eval()
    columns = [model.preprocess(part) for part in (sentences[:4], sentences[4:])]
    torch.testing.assert_close(loss(columns), loss([model.preprocess(sentences)]))


@pytest.mark.parametrize("settings", [{}, {"cell": "affine"}, {"structure": "right"}, {"structure": "random"}])
def test_gradients_reach_every_weight(
    tiny_tokenizer: PreTrainedTokenizerBase, sentences: list[str], settings: dict[str, Any]
):
    model = tree_model(tiny_tokenizer, **settings)
    loss = EntangledReconstructionLoss(model).train()
    loss([model.preprocess(sentences)]).backward()
    for name, parameter in loss.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
        assert parameter.grad.isfinite().all(), name


def test_equal_words_lose_the_same_values_to_dropout(tiny_tokenizer: PreTrainedTokenizerBase, sentences: list[str]):
    model = tree_model(tiny_tokenizer, leaf_dropout=0.5).train()
    states = entangled(model, [sentences[0], sentences[0]])
    assert states.graph.tops.numel() == 1


def test_the_loss_falls(tiny_tokenizer: PreTrainedTokenizerBase, sentences: list[str]):
    model = tree_model(tiny_tokenizer)
    loss = EntangledReconstructionLoss(model)
    features = [model.preprocess(sentences)]
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.02)
    first = loss.eval()(features).item()
    assert first == pytest.approx(math.log(len(tiny_tokenizer)), rel=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        loss.train()(features).backward()
        optimizer.step()
    assert loss.eval()(features).item() < 0.5 * first


def test_a_batch_without_words_costs_nothing(tiny_tokenizer: PreTrainedTokenizerBase):
    model = tree_model(tiny_tokenizer)
    loss = EntangledReconstructionLoss(model)([model.preprocess(["", ""])])
    assert loss.item() == 0
    loss.backward()


def test_a_saved_model_has_its_diagonal_cell_and_nothing_of_the_loss(
    tiny_tokenizer: PreTrainedTokenizerBase, sentences: list[str], tmp_path: Path
):
    model = tree_model(tiny_tokenizer)
    EntangledReconstructionLoss(model)
    model.save_pretrained(str(tmp_path / "model"), create_model_card=False)
    again = selfsent.load(tmp_path / "model")
    assert again[0].options.cell == "diagonal"
    assert sum(parameter.numel() for parameter in again[0].composition.parameters()) == 6
    assert (again.encode(sentences) == model.encode(sentences)).all()


def test_what_cannot_be_entangled_is_refused(tiny_tokenizer: PreTrainedTokenizerBase, sentences: list[str]):
    model = tree_model(tiny_tokenizer, context="neighbours")
    with pytest.raises(UserError, match="context=neighbours"):
        EntangledReconstructionLoss(model)([model.preprocess(sentences)])
    with pytest.raises(UserError, match="decomposition_dropout=1"):
        EntangledReconstructionLoss(model, decomposition_dropout=1.0)
