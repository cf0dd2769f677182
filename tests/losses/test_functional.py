import math

import pytest
import torch
from torch.nn import functional

from selfsent.losses.functional import info_nce, leaf_cross_entropy, node_contrastive

# The worked example of the course sheet on sentence representation learning.
ANCHOR = torch.tensor([[0.8109, -0.9391, 0.2519]], dtype=torch.float64)
POSITIVE = torch.tensor([[-1.2887, 1.5057, 0.4449]], dtype=torch.float64)
NEGATIVE = torch.tensor([[2.1968, 0.4785, 1.5207]], dtype=torch.float64)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def naive_info_nce(anchors: torch.Tensor, candidates: torch.Tensor, temperature: float) -> float:
    total = 0.0
    for i, anchor in enumerate(anchors):
        cosine = [float(anchor @ other / (anchor.norm() * other.norm())) for other in candidates]
        total += -math.log(math.exp(cosine[i] / temperature) / sum(math.exp(c / temperature) for c in cosine))
    return total / len(anchors)


@pytest.mark.parametrize(("temperature", "expected"), [(0.5, 2.881116), (1.0, 1.629818)])
def test_info_nce_of_the_worked_example(temperature: float, expected: float):
    loss = info_nce(ANCHOR, POSITIVE, NEGATIVE, temperature=temperature)
    assert loss.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("num_negatives", [0, 1, 4])
def test_info_nce_equals_a_naive_loop_in_which_every_anchor_sees_every_candidate(num_negatives: int):
    anchors, positives, negatives = drawn(3, 5), drawn(3, 5) * 2, drawn(num_negatives, 5)
    given = negatives if num_negatives else None
    expected = naive_info_nce(anchors, torch.cat([positives, negatives]), 0.3)
    assert info_nce(anchors, positives, given, temperature=0.3).item() == pytest.approx(expected, abs=1e-12)


def test_a_negative_counts_for_all_anchors():
    anchors, positives = drawn(2, 4), drawn(2, 4) + 1
    without = [naive_info_nce(anchors[i : i + 1], positives[i : i + 1], 0.5) for i in range(2)]
    one = [info_nce(anchors[i : i + 1], positives[i : i + 1], anchors[:1], temperature=0.5).item() for i in range(2)]
    assert all(loss > alone for loss, alone in zip(one, without, strict=True))


def test_info_nce_of_several_positives_worked_out_by_hand():
    anchors = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    positives = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 3.0]]], dtype=torch.float64)
    e = math.e
    # The first anchor finds (1, 0) among it and the second anchor's two: -log e / (e + 1 + 1). It finds (0, 1) with
    # odds of one in three. The second finds each of its own beside (1, 0) and (0, 1) of the first: e / (e + 1 + e).
    terms = [math.log(e + 2) - 1, math.log(3), math.log(2 * e + 1) - 1, math.log(2 * e + 1) - 1]
    assert terms == pytest.approx([0.551445, 1.098612, 0.861995, 0.861995], abs=1e-6)
    loss = info_nce(anchors, positives, temperature=1.0)
    assert loss.item() == pytest.approx(sum(terms) / 4)
    # Back, three positives find their anchor with e / (e + 1), and the first anchor's (0, 1) with 1 / (e + 1).
    back = (3 * (math.log(e + 1) - 1) + math.log(e + 1)) / 4
    both = info_nce(anchors, positives, temperature=1.0, symmetric=True)
    assert both.item() == pytest.approx((sum(terms) / 4 + back) / 2)


@pytest.mark.parametrize("symmetric", [False, True])
def test_one_positive_each_is_the_plain_form(symmetric: bool):
    anchors, positives, negatives = drawn(3, 4), drawn(3, 4) - 1, drawn(5, 4)
    settings = {"temperature": 0.3, "symmetric": symmetric}
    several = info_nce(anchors, positives[:, None], negatives, **settings)
    assert several.item() == pytest.approx(info_nce(anchors, positives, negatives, **settings).item())


def test_symmetric_info_nce_is_the_mean_of_both_directions_and_one_sided_is_the_default():
    anchors, positives = drawn(4, 3), drawn(4, 3) - 0.5
    forth, back = naive_info_nce(anchors, positives, 0.2), naive_info_nce(positives, anchors, 0.2)
    assert forth != pytest.approx(back)
    assert info_nce(anchors, positives, temperature=0.2).item() == pytest.approx(forth)
    both = info_nce(anchors, positives, temperature=0.2, symmetric=True)
    assert both.item() == pytest.approx((forth + back) / 2)


def test_the_way_back_of_the_symmetric_form_sees_no_further_negatives():
    anchors, positives, negatives = drawn(3, 4), drawn(3, 4) - 1, drawn(5, 4)
    forth = naive_info_nce(anchors, torch.cat([positives, negatives]), 0.4)
    back = naive_info_nce(positives, anchors, 0.4)
    loss = info_nce(anchors, positives, negatives, temperature=0.4, symmetric=True)
    assert loss.item() == pytest.approx((forth + back) / 2)


def test_info_nce_does_not_depend_on_lengths():
    anchors, positives = drawn(3, 4), drawn(3, 4) + 1
    loss = info_nce(anchors, positives, temperature=0.1)
    torch.testing.assert_close(info_nce(anchors * 7, positives * 0.01, temperature=0.1), loss)


def test_a_pair_alone_has_no_loss_and_equal_candidates_have_that_of_a_guess():
    assert info_nce(ANCHOR, POSITIVE, temperature=0.05).item() == 0.0
    same = torch.ones(5, 3)
    assert info_nce(same, same, temperature=0.05).item() == pytest.approx(math.log(5))


def test_a_zero_vector_is_like_nothing_and_stays_finite():
    anchors = torch.zeros(2, 3, requires_grad=True)
    loss = info_nce(anchors, torch.eye(3)[:2], temperature=0.05)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    assert anchors.grad is not None
    assert anchors.grad.isfinite().all()


def test_bfloat16_stays_finite():
    sides = [drawn(6, 8).bfloat16().requires_grad_() for _ in range(2)]
    loss = info_nce(*sides, temperature=0.05, symmetric=True)
    loss.backward()
    assert all(value is not None and value.isfinite().all() for value in (loss, sides[0].grad, sides[1].grad))


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_gradients_of_info_nce_are_those_of_finite_differences(symmetric: bool):
    inputs = tuple(side.requires_grad_() for side in (drawn(3, 4), drawn(3, 4) + 1, drawn(2, 4)))
    assert torch.autograd.gradcheck(lambda *three: info_nce(*three, temperature=0.3, symmetric=symmetric), inputs)


def test_node_contrastive_is_the_clip_form_over_all_nodes():
    # L = -(1 / 2M) [sum log softmax_row(s A)_ii + sum log softmax_col(s A)_jj], s = 1 / T.
    up, down, temperature = drawn(6, 4), drawn(6, 4) + 0.5, 0.8187
    similarity = functional.cosine_similarity(up[:, None], down[None], dim=2) / temperature
    by_row, by_column = similarity.log_softmax(dim=1).diagonal(), similarity.log_softmax(dim=0).diagonal()
    expected = -(by_row.sum() + by_column.sum()) / 12
    torch.testing.assert_close(node_contrastive(up, down, temperature=temperature), expected)


def test_leaf_cross_entropy_of_a_worked_example():
    # Logits (1, 0, 2) and (0, 1, -1) for the tokens 2 and 0.
    leaves, table = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]])
    first = math.log(math.e + 1 + math.e**2) - 2
    second = math.log(1 + math.e + 1 / math.e) - 0
    loss = leaf_cross_entropy(leaves, torch.tensor([2, 0]), table)
    assert loss.item() == pytest.approx((first + second) / 2, abs=1e-6)
    shifted = leaf_cross_entropy(leaves, torch.tensor([2, 0]), table, torch.tensor([0.0, 0.0, 100.0]))
    assert shifted.item() == pytest.approx(100 / 2, abs=2)


def test_the_gradients_of_leaf_cross_entropy_are_those_of_finite_differences():
    inputs = tuple(side.requires_grad_() for side in (drawn(4, 3), drawn(5, 3), drawn(5)))
    ids = torch.tensor([0, 4, 4, 2])
    assert torch.autograd.gradcheck(lambda rows, table, bias: leaf_cross_entropy(rows, ids, table, bias), inputs)
