"""The comparison over queues: its formula, each ablation against a plain loop, its state."""

import math
from typing import Any

import pytest
import torch
from tests.processes import on_two_ranks
from torch import Tensor
from torch.nn import functional

from selfsent.errors import UserError
from selfsent.losses.cross_view import QueueComparison
from selfsent.losses.cross_view_distillation import FORMS
from selfsent.losses.functional import cross_view, similarity_distribution

WIDTH = 6


def unit_rows(num_rows: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(num_rows, WIDTH, generator=generator, dtype=torch.float64), dim=1)


@pytest.fixture
def online() -> tuple[Tensor, Tensor]:
    return unit_rows(5, 1).requires_grad_(), unit_rows(5, 2).requires_grad_()


@pytest.fixture
def references() -> tuple[Tensor, Tensor]:
    return unit_rows(5, 3).requires_grad_(), unit_rows(5, 4).requires_grad_()


def comparison(**settings: Any) -> QueueComparison:
    torch.manual_seed(0)
    chosen = {"queue_size": 17, "temperature": 0.2, "reference_temperature": 0.1} | settings
    return QueueComparison(WIDTH, **chosen).double()


def queue_rows(module: QueueComparison) -> list[Tensor]:
    """The rows of the queues as they are, oldest first."""
    return [queue.oldest_first() for queue in module.queues]


def entered(rows: Tensor, new: Tensor) -> Tensor:
    """A queue after new rows came in, oldest first, by moving every row."""
    return torch.cat([rows, new.detach()])[-len(rows) :]


def one_direction(z: Tensor, r: Tensor, queue: Tensor, *, entropy: bool = True) -> Tensor:
    """Mean over sentences of the divergence, sentence by sentence and row by row."""
    total = torch.zeros((), dtype=z.dtype)
    for i in range(len(z)):
        q = torch.softmax(torch.stack([r[i].detach() @ d for d in queue]) / 0.1, dim=0)
        c = torch.softmax(torch.stack([z[i] @ d for d in queue]) / 0.2, dim=0)
        for j in range(len(queue)):
            total = total + q[j] * ((q[j].log() if entropy else 0.0) - c[j].log())
    return total / len(z)


def in_batch_contrast(z: Tensor, r: Tensor, others: Tensor) -> Tensor:
    """InfoNCE with the batch's references and further rows as candidates."""
    logits = z @ torch.cat([r.detach(), others]).T / 0.2
    return functional.cross_entropy(logits, torch.arange(len(z)))


def assert_same(found: Tensor, expected: Tensor, online: tuple[Tensor, Tensor]) -> None:
    torch.testing.assert_close(found, expected)
    ours = torch.autograd.grad(found, online)
    for one, other in zip(ours, torch.autograd.grad(expected, online), strict=True):
        torch.testing.assert_close(one, other)


def test_the_papers_objective_is_its_formula_over_queues_the_batch_has_entered(online, references):
    module = comparison()
    queues = [entered(rows, new) for rows, new in zip(queue_rows(module), references, strict=True)]
    expected = cross_view(online, references, tuple(queues), temperature=0.2, reference_temperature=0.1)
    assert_same(module(online, references), expected, online)
    for held, wanted in zip(queue_rows(module), queues, strict=True):
        assert torch.equal(held, wanted)


def test_the_formula_is_a_plain_loop_over_sentences_and_rows(online, references):
    queues = (unit_rows(7, 8), unit_rows(7, 9))
    found = cross_view(online, references, queues, temperature=0.2, reference_temperature=0.1)
    (z1, z2), (r1, r2), (d1, d2) = online, references, queues
    assert_same(found, (one_direction(z2, r1, d1) + one_direction(z1, r2, d2)) / 2, online)


def test_the_released_code_compares_first_with_queue_and_batch_and_sums(online, references):
    module = comparison(enqueue="after", reduction="sum")
    (d1, d2), (z1, z2), (r1, r2) = queue_rows(module), online, references
    expected = one_direction(z2, r1, torch.cat([d1, r1.detach()])) + one_direction(z1, r2, torch.cat([d2, r2.detach()]))
    assert_same(module(online, references), expected, online)
    assert torch.equal(queue_rows(module)[0], entered(d1, r1))


def test_identical_view_compares_a_view_with_its_own_reference(online, references):
    module = comparison(cross_view=False)
    (d1, d2), (z1, z2), (r1, r2) = queue_rows(module), online, references
    expected = (one_direction(z1, r1, entered(d1, r1)) + one_direction(z2, r2, entered(d2, r2))) / 2
    assert_same(module(online, references), expected, online)


def test_one_queue_holds_the_references_of_both_views(online, references):
    module = comparison(queues="one")
    (queue,), (z1, z2), (r1, r2) = queue_rows(module), online, references
    held = entered(queue, torch.cat([r1, r2]))
    assert_same(module(online, references), (one_direction(z2, r1, held) + one_direction(z1, r2, held)) / 2, online)
    assert torch.equal(queue_rows(module)[0], held)


@pytest.mark.parametrize("enqueue", ["before", "after"])
def test_frozen_queues_keep_their_random_rows_beside_the_batch(online, references, enqueue):
    module = comparison(queues="frozen", enqueue=enqueue)
    before = queue_rows(module)
    candidates = [torch.cat([rows, new.detach()]) for rows, new in zip(before, references, strict=True)]
    (z1, z2), (r1, r2) = online, references
    expected = (one_direction(z2, r1, candidates[0]) + one_direction(z1, r2, candidates[1])) / 2
    assert_same(module(online, references), expected, online)
    assert all(torch.equal(one, other) for one, other in zip(queue_rows(module), before, strict=True))


@pytest.mark.parametrize("enqueue", ["before", "after"])
def test_without_a_queue_the_batch_is_compared_with_itself(online, references, enqueue):
    module = comparison(queues="none", queue_size=1, enqueue=enqueue)
    assert not module.state_dict()
    (z1, z2), (r1, r2) = online, references
    expected = (one_direction(z2, r1, r1.detach()) + one_direction(z1, r2, r2.detach())) / 2
    assert_same(module(online, references), expected, online)


def test_cross_entropy_leaves_the_entropy_of_the_reference_out_and_so_has_the_same_gradient(online, references):
    (d1, d2), (z1, z2), (r1, r2) = queue_rows(comparison()), online, references
    d1, d2 = entered(d1, r1), entered(d2, r2)
    expected = (one_direction(z2, r1, d1, entropy=False) + one_direction(z1, r2, d2, entropy=False)) / 2
    assert_same(comparison(divergence="ce")(online, references), expected, online)
    gradients = [torch.autograd.grad(comparison(divergence=name)(online, references), online) for name in ("kl", "ce")]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("cross", [True, False])
@pytest.mark.parametrize("enqueue", ["before", "after"])
def test_contrastive_is_info_nce_with_the_queue_as_further_negatives(online, references, enqueue, cross):
    module = comparison(comparison="contrastive", enqueue=enqueue, cross_view=cross)
    (d1, d2), (z1, z2), (r1, r2) = queue_rows(module), online, references
    first, second = (z2, z1) if cross else (z1, z2)
    kept = 17 - 5 if enqueue == "before" else 17
    expected = (in_batch_contrast(first, r1, d1[-kept:]) + in_batch_contrast(second, r2, d2[-kept:])) / 2
    assert_same(module(online, references), expected, online)


def test_two_sentences_swapped_cost_tanh_of_one_half():
    # In the batch alone, at temperature 1: q = (e, 1) / (e + 1), c = (1, e) / (e + 1), so KL = (e - 1) / (e + 1).
    axes = torch.eye(2, dtype=torch.float64)
    module = QueueComparison(2, temperature=1.0, reference_temperature=1.0, queues="none")
    swapped = axes.flip(0)
    assert module((swapped, swapped), (axes, axes)).item() == pytest.approx(math.tanh(0.5))


def test_vectors_that_lie_as_their_references_do_cost_nothing_and_are_not_moved(references):
    rows = references[0].detach().requires_grad_()
    module = comparison(temperature=0.1)
    loss = module((rows, rows), (rows.detach(), rows.detach()))
    torch.testing.assert_close(loss, torch.zeros((), dtype=torch.float64), atol=1e-12, rtol=0)
    (gradient,) = torch.autograd.grad(loss, rows)
    torch.testing.assert_close(gradient, torch.zeros_like(rows), atol=1e-12, rtol=0)


@pytest.mark.parametrize("setting", [{}, {"comparison": "contrastive"}, {"divergence": "ce", "queues": "one"}])
def test_the_gradient_of_the_tiles_is_that_of_small_steps(online, references, setting):
    module = comparison(enqueue="after", **setting)
    candidates = module.candidates(references)
    check = lambda *rows: module.compare(rows, references, candidates)  # noqa: E731
    assert torch.autograd.gradcheck(check, online, fast_mode=True)


def test_no_gradient_reaches_a_reference_or_a_queue(online, references):
    module = comparison()
    module(online, references).backward()
    assert all(rows.grad is not None for rows in online)
    assert all(rows.grad is None for rows in references)
    assert not list(module.parameters())


def test_an_evaluation_sees_its_own_references_and_leaves_the_queues_alone(online, references):
    module = comparison()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with torch.no_grad():
        seen = module(online, references)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    torch.testing.assert_close(seen, module(online, references).detach())


def test_the_order_of_a_batch_changes_nothing(online, references):
    forth, back = comparison(), comparison()
    torch.testing.assert_close(
        forth(online, references),
        back((online[0].flip(0), online[1].flip(0)), (references[0].flip(0), references[1].flip(0))),
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_vectors_are_compared_in_float32(online, references, dtype):
    few_bits = [tuple(rows.detach().to(dtype) for rows in pair) for pair in (online, references)]
    module, exact = comparison().float(), comparison().float()
    expected = exact(*(tuple(rows.float() for rows in pair) for pair in few_bits))
    torch.testing.assert_close(module(*few_bits), expected)


def test_similarity_distributions_sum_to_one():
    shares = similarity_distribution(unit_rows(3, 0), unit_rows(50, 1), temperature=0.03).exp()
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize(("queues", "needed"), [("two", "5"), ("one", "10"), ("frozen", "5")])
def test_a_queue_smaller_than_what_a_batch_puts_into_it_is_refused(online, references, queues, needed):
    with pytest.raises(UserError, match=rf"queue of 4 rows is smaller than the {needed} .*queue_size"):
        comparison(queue_size=4, queues=queues)(online, references)


def test_settings_that_are_wrong_are_named_together():
    wrong: dict[str, Any] = {"temperature": 0.0, "reference_temperature": float("nan")}
    with pytest.raises(UserError, match=r"temperature=0.0 .*reference_temperature=nan"):
        comparison(**wrong)


def _compare_on_a_rank(rank: int) -> list[float]:
    share = slice(4 * rank, 4 * rank + 4)
    rows = [unit_rows(8, seed)[share] for seed in range(4)]
    module = comparison()
    return [module((rows[0], rows[1]), (rows[2], rows[3])).item() for _ in range(2)]


def test_two_ranks_of_four_sentences_are_one_batch_of_eight():
    by_rank = on_two_ranks(_compare_on_a_rank)
    module, rows = comparison(), [unit_rows(8, seed) for seed in range(4)]
    expected = [module((rows[0], rows[1]), (rows[2], rows[3])).item() for _ in range(2)]
    assert [sum(both) / 2 for both in zip(*by_rank, strict=True)] == pytest.approx(expected)


# Values worked out by hand ------------------------------------------------------------------------------------------

EAST, NORTH, UPWARD = [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]
BETWEEN = 0.462117157
"""KL of (e, 1) / (1 + e) from (1, e) / (1 + e): e / (1 + e) - 1 / (1 + e)."""


def by_hand(*views: list[float], **settings: Any) -> Tensor:
    """The objective of one sentence against a queue of the two axes, whose temperatures are 1."""
    z1, z2, r1, r2 = (torch.tensor([view], dtype=torch.float64) for view in views)
    module = QueueComparison(2, temperature=1.0, reference_temperature=1.0, queue_size=1, **settings)
    axes = [torch.eye(2, dtype=torch.float64)]
    return module.compare((z1, z2), (r1, r2), (axes, axes))


def test_vectors_are_compared_by_their_squared_distance_without_a_queue():
    # |(1, 0) - (0, 1)|^2 = 2 and |(.6, .8) - (1, 0)|^2 = .16 + .64; straight, 0 and .36 + .04.
    assert by_hand(EAST, UPWARD, EAST, NORTH, comparison="vectors").item() == pytest.approx((2 + 0.8) / 2)
    straight = by_hand(EAST, UPWARD, EAST, NORTH, comparison="vectors", cross_view=False)
    assert straight.item() == pytest.approx((0 + 0.4) / 2)
    module = QueueComparison(2, comparison="vectors", queue_size=1)
    rows = torch.tensor([EAST, NORTH])
    assert module((rows, rows), (rows, rows)).item() == 0.0
    assert not list(module.queues)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("mse", (0.8 + 0.0) / 2),  # |(1, 0) - (.6, .8)|^2 = .8, and the second view is the teacher's own
        ("ckd", ((1.313261688 - 0.6) + (1.313261688 - 1)) / 2),  # log(e + 1) less the inner product with the teacher
    ],
)
def test_a_student_is_asked_for_the_teachers_vector_or_to_find_it(form: Any, expected: float):
    assert by_hand(EAST, NORTH, UPWARD, NORTH, **FORMS[form]).item() == pytest.approx(expected)


def test_congen_asks_both_views_for_the_place_of_the_teachers_first():
    # The teacher points north both times: the first view is off by BETWEEN, the second by nothing.
    assert by_hand(EAST, NORTH, NORTH, NORTH, **FORMS["congen"]).item() == pytest.approx(BETWEEN / 2)


@pytest.mark.parametrize("divergence", ["kl", "ce"])
def test_without_stop_gradient_the_references_learn_too(divergence: Any):
    z = torch.tensor([EAST], dtype=torch.float64)
    r = torch.tensor([NORTH], dtype=torch.float64, requires_grad=True)
    axes = [torch.eye(2, dtype=torch.float64)]
    settings: dict[str, Any] = {"temperature": 1.0, "reference_temperature": 1.0, "divergence": divergence}
    for stop_gradient in (True, False):
        module = QueueComparison(2, queue_size=1, stop_gradient=stop_gradient, **settings)
        value = module.compare((z, z), (r, r), (axes, axes))
        # The entropy of (1, e) / (1 + e) is log(1 + e) - e / (1 + e).
        entropy = 0.0 if divergence == "kl" else 1.313261688 - 0.731058579
        assert value.item() == pytest.approx(BETWEEN + entropy)
        assert value.requires_grad != stop_gradient
    (gradient,) = torch.autograd.grad(value, r)
    # q_j (log q_j - log c_j - KL) with q = (.268941, .731059): -.268941 * 1.462117; of cross-entropy without log q.
    expected = -0.268941421 * (1 + BETWEEN)
    if divergence == "ce":
        # q_0 (-log c_0 - sum_j q_j (-log c_j)) with -log c = (.313262, 1.313262)
        expected = 0.268941421 * (0.313261688 - (0.268941421 * 0.313261688 + 0.731058579 * 1.313261688))
    torch.testing.assert_close(gradient, torch.tensor([[expected, -expected]], dtype=torch.float64))


def test_one_queue_takes_a_reference_of_both_views_once():
    module = QueueComparison(2, queues="one", queue_size=3)
    rows = torch.tensor([EAST, NORTH])
    module((rows, rows), (rows, rows))
    torch.testing.assert_close(queue_rows(module)[0][1:], rows)
