"""Tests of Triton's kernels that need ``TRITON_INTERPRET=1`` when Triton is imported; run by test_triton_kernels.py."""

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn import functional

from selfsent.kernels import affine_passes, contrastive, induction
from selfsent.kernels.affine_passes import affine_downward, affine_upward
from selfsent.kernels.contrastive import tiled_symmetric_info_nce
from selfsent.kernels.passes import downward, upward
from selfsent.kernels.triton_check import largest_difference
from selfsent.kernels.triton_choice import uses_triton
from selfsent.losses import NodeContrastiveLoss
from selfsent.losses.functional import node_contrastive
from selfsent.modules import AffineComposition, AffineDecomposition, TreeEncoder

SHAPES = [(4, 3), (1, 5), (7, 1), (3, 16)]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_the_check_that_decides_on_a_gpu_passes_wherever_a_kernel_is_first_used(mode):
    with mode():
        assert largest_difference(torch.device("cpu")) < 1e-4


@pytest.mark.parametrize("is_noisy", [False, True], ids=["plain", "noise"])
@pytest.mark.parametrize(("channels", "channel_size"), SHAPES)
def test_induction_finds_the_trees_of_the_plain_form(channels: int, channel_size: int, is_noisy: bool):
    num_tokens = np.array([5, 0, 1, 9, 2])
    leaves, composition = drawn(17, channels * channel_size), AffineComposition(channel_size)
    noise = functional.dropout(torch.ones(13, leaves.shape[1]), 0.2) if is_noisy else None
    trees, up = induction.induce(leaves, num_tokens, composition.linear.weight, composition.linear.bias, noise)
    expected, expected_up = induction.induce_reference(leaves, num_tokens, composition, noise)
    np.testing.assert_array_equal(trees.left, expected.left)
    np.testing.assert_array_equal(trees.right, expected.right)
    torch.testing.assert_close(up, expected_up.detach(), atol=1e-5, rtol=1e-5)


def test_of_equally_similar_pairs_the_first_is_merged_and_nan_last():
    composition = AffineComposition(2)
    with torch.no_grad():
        composition.linear.weight.copy_(torch.cat([torch.eye(2), torch.zeros(2, 2)], dim=1))
        composition.linear.bias.zero_()
    leaves = torch.tensor([[1.0, 2.0]]).repeat(10, 1)
    leaves[5] = torch.nan
    trees, _ = induction.induce(leaves, np.array([5, 5]), composition.linear.weight, composition.linear.bias)
    assert trees[0].left.tolist() == [0, 5, 6, 7]
    assert trees[1].left.tolist() == [1, 5, 6, 0]


@pytest.mark.parametrize("is_noisy", [False, True], ids=["plain", "noise"])
@pytest.mark.parametrize("direction", ["upward", "downward"])
@pytest.mark.parametrize(("channels", "channel_size"), SHAPES)
def test_passes_and_their_gradients_are_those_of_the_plain_form(
    channels: int, channel_size: int, direction: str, is_noisy: bool
):
    num_tokens = np.array([4, 0, 1, 7])
    dimension = channels * channel_size
    composition = AffineComposition(channel_size)
    trees, _ = induction.induce_reference(drawn(12, dimension), num_tokens, composition)
    cell = composition if direction == "upward" else AffineDecomposition(channel_size)
    plain, ours = (upward, affine_upward) if direction == "upward" else (downward, affine_downward)
    num_rows, num_noises = (12, len(trees.left)) if direction == "upward" else (3, trees.num_nodes)
    rows = drawn(num_rows, dimension, seed=1).requires_grad_()
    noise = functional.dropout(torch.ones(num_noises, dimension), 0.2) if is_noisy else None
    outer = drawn(trees.num_nodes, dimension, seed=2)
    results = [
        [values, *torch.autograd.grad(values, [rows, *cell.parameters()], outer)]
        for values in (ours(rows, trees, cell.linear, noise), plain(rows, trees, cell, noise))
    ]
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("temperature", [0.8187, 0.05, 0.005])
@pytest.mark.parametrize("num_rows", [1, 63, 130])
def test_the_tiled_loss_equals_the_formula(num_rows: int, temperature: float):
    rows = functional.normalize(drawn(num_rows, 20), dim=1)
    sides = [rows, functional.normalize(rows + 0.2 * drawn(num_rows, 20, seed=1), dim=1)]
    wide, ours = ([side.to(dtype).requires_grad_() for side in sides] for dtype in (torch.float64, torch.float32))
    expected = node_contrastive(*wide, temperature=temperature)
    found = tiled_symmetric_info_nce(*(functional.normalize(side, dim=1) for side in ours), temperature=temperature)
    allowed = 1e-5 * max(1.0, 0.05 / temperature)
    torch.testing.assert_close(found.double(), expected, atol=allowed, rtol=allowed)
    pairs = zip(torch.autograd.grad(found, ours), torch.autograd.grad(expected, wide), strict=True)
    for one, other in pairs:
        unit = 1 / (temperature * num_rows)
        torch.testing.assert_close(one.double() / unit, other / unit, atol=allowed, rtol=0)


def test_half_precision_is_multiplied_as_it_is(monkeypatch: pytest.MonkeyPatch):
    dtype = torch.float16  # the interpreter computes with NumPy, which has no bfloat16
    monkeypatch.setattr(contrastive, "_multiplies_half_precision", lambda _: True)
    sides = [functional.normalize(drawn(70, 20, seed=seed), dim=1).to(dtype).requires_grad_() for seed in (0, 1)]
    wide = [side.detach().double().requires_grad_() for side in sides]
    found = tiled_symmetric_info_nce(*sides, temperature=0.5)
    expected = tiled_symmetric_info_nce(*wide, temperature=0.5)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), expected, rtol=2**-7, atol=0)
    for one, other in zip(torch.autograd.grad(found, sides), torch.autograd.grad(expected, wide), strict=True):
        torch.testing.assert_close(one.double() * 70, other * 70, rtol=2**-6, atol=2**-6)


def test_a_training_step_runs_on_them_and_gives_the_loss_of_the_compiled_kernels(
    tiny_tokenizer, sentences: list[str], monkeypatch: pytest.MonkeyPatch
):
    def gradients() -> list[Tensor]:
        torch.manual_seed(0)
        encoder = TreeEncoder(tokenizer=tiny_tokenizer, channels=3, channel_size=4)
        loss: nn.Module = NodeContrastiveLoss(SentenceTransformer(modules=[encoder], device="cpu")).eval()
        value = loss([encoder.preprocess(sentences[:3])])
        return [value.detach(), *torch.autograd.grad(value, list(loss.parameters()))]

    assert uses_triton(torch.zeros(1))
    found = gradients()
    for module in (affine_passes, contrastive, induction):
        monkeypatch.setattr(module, "uses_triton", lambda _, **__: False)
    for one, other in zip(found, gradients(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
