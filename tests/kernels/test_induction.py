import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from selfsent.kernels.induction import induce
from selfsent.kernels.induction_reference import induce_reference
from selfsent.modules import AffineComposition
from selfsent.trees.arrays import TreeBatch

SHAPES = [(10, 10), (16, 16), (256, 1), (1, 5), (2, 3), (3, 1)]
LENGTHS = [[1], [2], [5, 3, 8], [0, 4, 1, 0, 2, 17], [3] * 20]


def drawn(
    channels: int, channel_size: int, lengths: list[int], seed: int = 0
) -> tuple[Tensor, np.ndarray, AffineComposition]:
    generator = torch.Generator().manual_seed(seed)
    leaves = torch.randn(sum(lengths), channels * channel_size, generator=generator)
    torch.manual_seed(seed)
    return leaves, np.array(lengths, dtype=np.int64), AffineComposition(channel_size)


def induced(
    leaves: Tensor, num_tokens: np.ndarray, composition: AffineComposition, noise: Tensor | None = None
) -> tuple[TreeBatch, Tensor]:
    return induce(leaves, num_tokens, composition.linear.weight, composition.linear.bias, noise)


def assert_same_trees(one: TreeBatch, other: TreeBatch):
    np.testing.assert_array_equal(one.num_tokens, other.num_tokens)
    np.testing.assert_array_equal(one.left, other.left)
    np.testing.assert_array_equal(one.right, other.right)


def assert_greedy(trees: TreeBatch, up: Tensor, noise: Tensor | None, leaves: Tensor, composition: AffineComposition):
    """Follow the merges in float64 and check that each joins a pair as similar as the best, up to rounding."""
    composition, values = composition.double(), up.double()
    first_leaf = merge = 0
    for tree, first in zip(trees, trees.offsets, strict=False):
        rows = list(leaves[first_leaf : first_leaf + tree.num_tokens].double())
        frontier = list(range(tree.num_tokens))
        for left, right in zip(tree.left.tolist(), tree.right.tolist(), strict=True):
            stacked = torch.stack([rows[node] for node in frontier])
            similarity = functional.cosine_similarity(stacked[:-1], stacked[1:])
            place = frontier.index(left)
            assert frontier[place + 1] == right, "only neighbours are merged"
            assert similarity[place] >= similarity.max() - 1e-5
            with torch.no_grad():
                parent = composition(rows[left][None], rows[right][None])[0]
            rows.append(parent if noise is None else parent * noise[merge].double())
            frontier[place : place + 2] = [len(rows) - 1]
            merge += 1
        if rows:
            torch.testing.assert_close(values[first : first + len(rows)], torch.stack(rows), atol=1e-5, rtol=1e-5)
        first_leaf += tree.num_tokens


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("is_noisy", [False, True], ids=["plain", "noise"])
def test_the_kernel_merges_the_most_similar_pair_at_every_step(
    shape: tuple[int, int], lengths: list[int], is_noisy: bool
):
    leaves, num_tokens, composition = drawn(*shape, lengths)
    num_merges = int(np.maximum(num_tokens - 1, 0).sum())
    noise = functional.dropout(torch.ones(num_merges, leaves.shape[1]), 0.1) if is_noisy else None
    trees, up = induced(leaves, num_tokens, composition, noise)
    assert_greedy(trees, up, noise, leaves, composition)


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("shape", [(10, 10), (16, 16), (2, 3)], ids=str)
@pytest.mark.parametrize("is_noisy", [False, True], ids=["plain", "noise"])
def test_the_kernel_equals_the_plain_form(shape: tuple[int, int], lengths: list[int], is_noisy: bool):
    leaves, num_tokens, composition = drawn(*shape, lengths, seed=1)
    num_merges = int(np.maximum(num_tokens - 1, 0).sum())
    noise = functional.dropout(torch.ones(num_merges, leaves.shape[1]), 0.1) if is_noisy else None
    trees, up = induced(leaves, num_tokens, composition, noise)
    expected_trees, expected_up = induce_reference(leaves, num_tokens, composition, noise)
    assert_same_trees(trees, expected_trees)
    torch.testing.assert_close(up, expected_up.detach(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(10, 10), (256, 1)], ids=str)
def test_the_kernel_merges_the_most_similar_pair_of_a_long_sentence(shape: tuple[int, int]):
    leaves, num_tokens, composition = drawn(*shape, [200, 1, 30])
    assert_greedy(*induced(leaves, num_tokens, composition), None, leaves, composition)


@pytest.mark.parametrize("channels", [1, 256])
def test_the_kernel_equals_the_plain_form_at_extreme_shapes(channels: int):
    leaves, num_tokens, composition = drawn(channels, 5 if channels == 1 else 1, [1, 2, 6, 0, 9])
    trees, up = induced(leaves, num_tokens, composition)
    expected_trees, expected_up = induce_reference(leaves, num_tokens, composition)
    assert_same_trees(trees, expected_trees)
    torch.testing.assert_close(up, expected_up.detach(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("find", [induced, induce_reference], ids=["kernel", "plain form"])
def test_a_worked_example(find):
    # Directions 0, 80, 90 and 120 degrees; composition is the mean. The closest neighbours are 80 and 90 degrees. Their
    # mean points to 85: 35 degrees from the fourth and 85 from the first, so the fourth joins before the first.
    angles = torch.deg2rad(torch.tensor([0.0, 80.0, 90.0, 120.0]))
    leaves = torch.stack([angles.cos(), angles.sin()], dim=1)
    composition = AffineComposition(1)
    with torch.no_grad():
        composition.linear.weight.copy_(torch.tensor([[0.5, 0.5]]))
        composition.linear.bias.zero_()
    trees, up = find(leaves, np.array([4]), composition)
    assert trees.left.tolist() == [1, 4, 0]
    assert trees.right.tolist() == [2, 3, 5]
    pair = (leaves[1] + leaves[2]) / 2
    triple = (pair + leaves[3]) / 2
    torch.testing.assert_close(up.detach()[4:], torch.stack([pair, triple, (leaves[0] + triple) / 2]))


@pytest.mark.parametrize("find", [induced, induce_reference], ids=["kernel", "plain form"])
def test_of_equally_similar_pairs_the_first_is_merged(find):
    # Composition returns its left child, so every pair stays equally similar and merging goes from left to right.
    composition = AffineComposition(2)
    with torch.no_grad():
        composition.linear.weight.copy_(torch.cat([torch.eye(2), torch.zeros(2, 2)], dim=1))
        composition.linear.bias.zero_()
    for length in (5, 64, 65, 130):  # beyond 64 tokens the best is found by a tournament
        trees, _ = find(torch.tensor([[1.0, 2.0]]).expand(length, 2), np.array([length]), composition)
        assert trees.left.tolist() == [0, *range(length, 2 * length - 2)]
        assert trees.right.tolist() == list(range(1, length))


def test_repeated_tokens_give_the_trees_of_the_plain_form():
    leaves, num_tokens, composition = drawn(4, 4, [8, 12, 3])
    repeated = leaves[:2].repeat(12, 1)[: len(leaves)]
    assert_same_trees(
        induced(repeated, num_tokens, composition)[0], induce_reference(repeated, num_tokens, composition)[0]
    )


def test_a_sentences_tree_and_values_do_not_depend_on_its_batch_mates():
    lengths = [7, 0, 31, 1, 12, 5, 200, 2]
    leaves, num_tokens, composition = drawn(10, 10, lengths)
    parts = list(leaves.split(lengths))
    trees, up = induced(leaves, num_tokens, composition)
    values = up.split(np.diff(trees.offsets).tolist())
    order = [6, 3, 0, 7, 1, 5, 2, 4]
    shuffled_trees, shuffled_up = induced(torch.cat([parts[i] for i in order]), num_tokens[order], composition)
    shuffled_values = shuffled_up.split(np.diff(shuffled_trees.offsets).tolist())
    for place, i in enumerate(order):
        alone_trees, alone = induced(parts[i], num_tokens[i : i + 1], composition)
        assert torch.equal(alone, values[i])
        assert torch.equal(alone, shuffled_values[place])
        assert trees[i].left.tolist() == shuffled_trees[place].left.tolist() == alone_trees[0].left.tolist()


def test_a_sentence_of_two_hundred_thousand_tokens_stands_beside_one_of_one():
    leaves, num_tokens, composition = drawn(1, 4, [200_000, 1])  # looking at all pairs would take minutes
    trees, up = induced(leaves, num_tokens, composition)
    assert trees[0].spans[-1] == (0, 200_000)
    assert len(up) == 2 * 200_000 - 1 + 1
    torch.testing.assert_close(up[-1], leaves[-1], atol=0, rtol=0)
    assert up.isfinite().all()


def test_a_batch_of_empty_sentences_has_no_node():
    for lengths in ([], [0], [0, 0]):
        leaves, num_tokens, composition = drawn(2, 2, lengths)
        trees, up = induced(leaves, num_tokens, composition)
        assert len(trees) == len(lengths)
        assert up.shape == (0, 4)


@pytest.mark.parametrize("length", [6, 90])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, 1e30])
def test_leaves_that_are_no_vectors_still_give_a_tree_of_their_sentence_and_leave_the_others_alone(
    value: float, length: int
):
    leaves, num_tokens, composition = drawn(4, 4, [length, 9])
    spoiled = leaves.clone()
    spoiled[1 : length - 1] = value
    trees, up = induced(spoiled, num_tokens, composition)
    assert trees[0].spans[-1] == (0, length)
    expected_trees, expected_up = induced(leaves, num_tokens, composition)
    assert trees[1].left.tolist() == expected_trees[1].left.tolist()
    assert torch.equal(up[2 * length - 1 :], expected_up[2 * length - 1 :])


def test_inputs_are_left_as_they_were_and_no_gradient_is_recorded():
    leaves, num_tokens, composition = drawn(4, 4, [6, 9])
    before = leaves.clone()
    noise = torch.rand(13, 16)
    _, up = induced(leaves.requires_grad_(), num_tokens, composition, noise)
    assert torch.equal(leaves, before)
    assert not up.requires_grad


def test_the_result_comes_in_the_precision_of_the_leaves():
    leaves, num_tokens, composition = drawn(4, 4, [6, 9])
    for dtype in (torch.bfloat16, torch.float64):
        trees, up = induced(leaves.to(dtype), num_tokens, composition)
        assert up.dtype == dtype
        assert_same_trees(trees, induced(leaves.to(dtype).float(), num_tokens, composition)[0])
