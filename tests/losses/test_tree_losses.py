"""The contract of every objective of a tree autoencoder, and the value of each by its formula."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from selfsent.counts.token_frequencies import TokenFrequencies, count_tokens
from selfsent.errors import UserError
from selfsent.losses import ContrastiveReconstructionLoss, NodeContrastiveLoss, ReconstructionLoss
from selfsent.losses.functional import leaf_cross_entropy, node_contrastive
from selfsent.losses.reconstruction import LeafReconstruction
from selfsent.modules import TreeEncoder
from selfsent.modules.tree_decoder import TreeDecoder

Build = Callable[[SentenceTransformer], nn.Module]

CASES: dict[str, Build] = {
    "contrastive": NodeContrastiveLoss,
    "contrastive, low temperature": lambda model: NodeContrastiveLoss(model, temperature=0.05),
    "contrastive, repeats masked": lambda model: NodeContrastiveLoss(model, repeats="masked"),
    "contrastive, repeats positive": lambda model: NodeContrastiveLoss(model, repeats="positive"),
    "contrastive, by distance": lambda model: NodeContrastiveLoss(model, distance_decay=0.5),
    "contrastive, separate roots": lambda model: NodeContrastiveLoss(model, roots="separate"),
    "reconstruction, weighted": lambda model: ReconstructionLoss(model, weighting="linear", frequencies=counted(model)),
    "reconstruction, tied": ReconstructionLoss,
    "reconstruction, untied": lambda model: ReconstructionLoss(model, tied=False),
    "both, tied": ContrastiveReconstructionLoss,
    "both, repeats positive and by distance": lambda model: ContrastiveReconstructionLoss(
        model, repeats="positive", distance_decay=0.5
    ),
    "both, untied": lambda model: ContrastiveReconstructionLoss(model, tied=False),
}


def counted(model: SentenceTransformer) -> TokenFrequencies:
    return count_tokens(["the cat sleeps on the roof and the dog sleeps too"], model.tokenizer)


EVERY_LOSS = pytest.mark.parametrize("build", CASES.values(), ids=CASES.keys())
UNEVEN = ["the cat sleeps", "a", "", "two dogs run along the beach in the morning"]


@pytest.fixture
def model(tiny_tokenizer: PreTrainedTokenizerFast) -> SentenceTransformer:
    torch.manual_seed(0)
    return SentenceTransformer(
        modules=[TreeEncoder(tokenizer=tiny_tokenizer, channels=4, channel_size=4)], device="cpu"
    )


def total(loss: Tensor | dict[str, Tensor]) -> Tensor:
    return torch.stack(list(loss.values())).sum() if isinstance(loss, dict) else loss


def value(loss: nn.Module, features: list[dict[str, Tensor]]) -> Tensor:
    return total(loss([dict(column) for column in features], None))


def seeded(build: Build, model: SentenceTransformer) -> nn.Module:
    torch.manual_seed(3)
    return build(model)


@EVERY_LOSS
def test_several_columns_are_one_batch(build: Build, model: SentenceTransformer, sentences: list[str]):
    loss = build(model).eval()
    together = value(loss, [model.preprocess(sentences)])
    columns = value(loss, [model.preprocess(sentences[:5]), model.preprocess(sentences[5:])])
    torch.testing.assert_close(together, columns, atol=1e-6, rtol=1e-6)


@EVERY_LOSS
def test_a_batch_without_a_token_costs_nothing_and_one_token_a_text_stays_finite(
    build: Build, model: SentenceTransformer
):
    loss = build(model).train()
    assert value(loss, [model.preprocess(["", ""])]).item() == 0.0
    alone = value(loss, [model.preprocess(["a", "cat"])])
    alone.backward()
    assert alone.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in loss.parameters())


@EVERY_LOSS
@pytest.mark.parametrize("way", ["autocast", "weights"])
def test_bfloat16_is_finite_and_near_float32(build: Build, model: SentenceTransformer, sentences: list[str], way: str):
    loss = seeded(build, model).eval()
    features = [model.preprocess(sentences)]
    exact = value(loss, features)
    if way == "weights":
        loss = loss.bfloat16()
    with torch.autocast("cpu", torch.bfloat16, enabled=way == "autocast"):
        found = value(loss, features)
    found.backward()
    # Eight bits of mantissa: half a per cent a rounding; near ties may build another tree.
    torch.testing.assert_close(found.float(), exact, atol=0.05, rtol=0.1)
    assert all(parameter.grad.isfinite().all() for parameter in loss.parameters() if parameter.grad is not None)


@EVERY_LOSS
def test_the_hosts_own_trainer_trains_with_it(
    build: Build, model: SentenceTransformer, sentences: list[str], tmp_path: Path
):
    loss = build(model)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(tmp_path), max_steps=2, per_device_train_batch_size=6, learning_rate=0.01, report_to="none",
        use_cpu=True, save_strategy="no", logging_steps=1, disable_tqdm=True,
    )  # fmt: skip
    dataset = Dataset.from_dict({"text": sentences})
    trainer = SentenceTransformerTrainer(model=model, args=arguments, train_dataset=dataset, loss=loss)
    assert torch.isfinite(torch.tensor(trainer.train().training_loss))
    assert all(not torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())


@EVERY_LOSS
def test_it_says_for_the_model_card_what_it_is(build: Build, model: SentenceTransformer):
    loss: Any = build(model)
    settings = loss.get_config_dict()
    assert settings["decomposition_dropout"] == 0.1
    assert {name: getattr(loss, name) for name in settings.keys() & {"temperature"}}.items() <= settings.items()
    assert "2305.05588" in loss.citation


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("loss", [NodeContrastiveLoss, ContrastiveReconstructionLoss])
def test_a_temperature_that_cannot_divide_is_refused(model: SentenceTransformer, loss: Any, temperature: float):
    with pytest.raises(UserError, match="temperature"):
        loss(model, temperature=temperature)


# Values ---------------------------------------------------------------------------------------------------------------


def states(loss: Any, model: SentenceTransformer, texts: list[str]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Upward and downward embeddings, the leaves among them and their tokens, by the public parts."""
    features = model.preprocess(texts)
    found = model(dict(features))["trees"]
    is_leaf = torch.zeros(len(found.up), dtype=torch.bool)
    is_leaf[found.trees.leaf_nodes] = True
    return found.up, loss.tree_pass.decoder(found), is_leaf, features["input_ids"][features["attention_mask"].bool()]


@pytest.mark.parametrize("temperature", [0.8187, 0.05])
def test_the_contrastive_objective_is_the_formula_over_all_nodes(
    model: SentenceTransformer, sentences: list[str], temperature: float
):
    loss = NodeContrastiveLoss(model, temperature=temperature).eval()
    up, down, _, _ = states(loss, model, sentences)
    expected = node_contrastive(up, down, temperature=temperature)
    torch.testing.assert_close(value(loss, [model.preprocess(sentences)]), expected)


def test_its_default_temperature_is_the_released_multiplier_as_a_divisor(model: SentenceTransformer):
    assert pytest.approx(1 / 1.2214, abs=1e-5) == NodeContrastiveLoss(model).temperature


@pytest.mark.parametrize("tied", [True, False])
def test_reconstruction_is_the_formula_over_the_leaves(model: SentenceTransformer, sentences: list[str], tied: bool):
    many = sentences * 6  # more leaves than one tile
    loss = ReconstructionLoss(model, tied=tied).eval()
    _, down, is_leaf, token_ids = states(loss, model, many)
    assert len(token_ids) > 512
    table = model[0].embedding.weight
    output = (table, None) if loss.index.output is None else (loss.index.output.weight, loss.index.output.bias)
    expected = leaf_cross_entropy(down[is_leaf], token_ids, *output)
    torch.testing.assert_close(value(loss, [model.preprocess(many)]), expected)


def test_an_untied_output_has_weights_of_its_own_and_a_tied_one_none(model: SentenceTransformer):
    assert ReconstructionLoss(model).index.output is None
    untied = ReconstructionLoss(model, tied=False).index.output
    assert untied is not None
    assert untied.weight.shape == model[0].embedding.weight.shape
    assert untied.bias is not None


def test_the_mixed_objective_is_half_of_each_over_internal_nodes_and_over_leaves(
    model: SentenceTransformer, sentences: list[str]
):
    loss = ContrastiveReconstructionLoss(model, temperature=0.5).eval()
    up, down, is_leaf, token_ids = states(loss, model, sentences)
    # By hand, over internal nodes: cosines over the temperature, cross-entropy with the identity both ways.
    rows, columns = (side[~is_leaf] / side[~is_leaf].norm(dim=1, keepdim=True) for side in (up, down))
    logits = rows @ columns.T / 0.5
    target = torch.arange(len(logits))
    contrastive = (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
    reconstruction = functional.cross_entropy(down[is_leaf] @ model[0].embedding.weight.T, token_ids)
    terms = loss([model.preprocess(sentences)], None)
    torch.testing.assert_close(terms["contrastive"], contrastive / 2)
    torch.testing.assert_close(terms["reconstruction"], reconstruction / 2)
    assert set(terms) == {"contrastive", "reconstruction"}


def test_the_tiled_reconstruction_has_the_gradients_of_the_formula(model: SentenceTransformer, sentences: list[str]):
    loss = ReconstructionLoss(model).eval()
    features = [model.preprocess(sentences * 6)]
    parameters = list(loss.parameters())
    ours = torch.autograd.grad(value(loss, features), parameters)
    _, down, is_leaf, token_ids = states(loss, model, sentences * 6)
    formula = leaf_cross_entropy(down[is_leaf], token_ids, model[0].embedding.weight)
    for one, other in zip(ours, torch.autograd.grad(formula, parameters), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


# Learning -------------------------------------------------------------------------------------------------------------


@EVERY_LOSS
def test_the_objective_falls_below_that_of_the_start(build: Build, model: SentenceTransformer, sentences: list[str]):
    loss = seeded(build, model)
    features = [model.preprocess(sentences)]
    before = value(loss.eval(), features).item()
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.01)
    loss.train()
    for _ in range(25):
        optimizer.zero_grad()
        value(loss, features).backward()
        optimizer.step()
    assert value(loss.eval(), features).item() < before


def test_words_of_one_kind_grow_closer_than_words_of_two(tiny_tokenizer: PreTrainedTokenizerFast):
    # Sentences that swap words of a kind (cat and dog, hills and sea): what stands in like places becomes alike.
    torch.manual_seed(0)
    encoder = TreeEncoder(tokenizer=tiny_tokenizer, channels=4, channel_size=4, structure="right")
    model = SentenceTransformer(modules=[encoder], device="cpu")
    loss = seeded(ReconstructionLoss, model)
    animals, places = ("cat", "dogs"), ("roof", "beach")
    texts = [
        f"the {animal} {verb} on the {place}" for animal in animals for place in places for verb in ("sleeps", "run")
    ]
    features = [model.preprocess(texts)]

    def margin() -> float:
        a, b, c, d = functional.normalize(torch.from_numpy(model.eval().encode([*animals, *places])), dim=1)
        return float(a @ b + c @ d - (a @ c + b @ d))

    before = margin()
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.01)
    loss.train()
    for _ in range(100):
        optimizer.zero_grad()
        value(loss, features).backward()
        optimizer.step()
    assert margin() > max(before, 0.0)


# What the papers leave open -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("init", ["uniform", "sum"])
def test_a_separate_root_goes_down_as_worked_out_by_hand(tiny_tokenizer: PreTrainedTokenizerFast, init: Any):
    encoder = TreeEncoder(
        tokenizer=tiny_tokenizer, channels=2, channel_size=1, composition_init="sum", leaf_dropout=0.0
    ).eval()
    decoder = TreeDecoder(1, init=init, roots="separate").eval()
    assert sum(parameter.numel() for parameter in decoder.parameters()) == 4 + 2
    if init == "sum":
        torch.testing.assert_close(decoder.root_map.weight, torch.ones(1, 1))
    with torch.no_grad():
        decoder.root_map.weight.fill_(3.0)
        decoder.root_map.bias.fill_(0.5)
        decoder.decomposition.linear.weight.copy_(torch.tensor([[2.0], [-1.0]]))
        decoder.decomposition.linear.bias.copy_(torch.tensor([1.0, 0.0]))
        leaves = torch.tensor([[0.25, -1.0], [0.75, 2.0]])
        states = encoder.compose(leaves, np.array([2]))
        down = decoder(states)
    # The root's two channels of one value are 1 and 1: down it is 3 * 1 + 0.5 = 3.5, and its children are
    # 2 * 3.5 + 1 = 8 and -3.5, in both channels.
    torch.testing.assert_close(states.up[2], torch.tensor([1.0, 1.0]))
    torch.testing.assert_close(down, torch.tensor([[8.0, 8.0], [-3.5, -3.5], [3.5, 3.5]]))


def test_weights_by_frequency_on_the_cross_entropy_worked_out_by_hand(model: SentenceTransformer):
    frequencies = counted(model)
    index = LeafReconstruction(model, tied=False, token_weights=np.array([0.25, 1.0]))
    index.output = nn.Linear(1, 2)
    with torch.no_grad():
        index.output.weight.copy_(torch.tensor([[0.0], [1.0]]))
        index.output.bias.zero_()
    leaves, ids = torch.tensor([[0.0], [2.0]]), torch.tensor([0, 1])
    # -log 1/2 weighs a quarter, log(1 + e^-2) all: (0.25 * 0.693147 + 0.126928) / 2.
    found = index(leaves, ids, torch.zeros(2, 1))
    assert found.item() == pytest.approx((0.25 * 0.693147 + 0.126928) / 2, abs=1e-6)
    loss = ReconstructionLoss(model, weighting="linear", theta=0.1, frequencies=frequencies)
    (the,) = model.tokenizer("the", add_special_tokens=False)["input_ids"]
    assert loss.index.token_weights is not None
    assert loss.index.token_weights[the].item() == pytest.approx(0.1)
    with pytest.raises(UserError, match="weighting=linear needs the frequencies of the tokens"):
        ReconstructionLoss(model, weighting="linear")


def test_many_weighted_leaves_are_the_formula_with_its_gradients(model: SentenceTransformer):
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(7, generator=generator).numpy()
    index = LeafReconstruction(model, tied=True, token_weights=weights)
    leaves = torch.randn(2500, 3, generator=generator, requires_grad=True)
    table = torch.randn(7, 3, generator=generator, requires_grad=True)
    ids = torch.randint(7, (2500,), generator=generator)
    found = index(leaves, ids, table)
    expected = leaf_cross_entropy(leaves, ids, table, weights=torch.from_numpy(weights)[ids])
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        torch.autograd.grad(found, (leaves, table)), torch.autograd.grad(expected, (leaves, table)), strict=True
    ):
        torch.testing.assert_close(one, other)
