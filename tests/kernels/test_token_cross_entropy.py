import subprocess
import sys

import pytest
import torch
from torch import Tensor

from selfsent.kernels import token_cross_entropy as kernel
from selfsent.kernels.token_cross_entropy import token_cross_entropy
from selfsent.losses.functional import leaf_cross_entropy

Inputs = tuple[Tensor, Tensor, Tensor, Tensor | None]
SIZES = [(1, 1), (2, 5), (7, 8), (8, 9), (9, 31), (40, 17)]


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch):
    """Tiles of which the sizes above are none, one and several, whole and broken, down and across."""
    for name, size in {"_TILE_ROWS": 8, "_TILE_COLUMNS": 8, "_FEWEST_ROWS": 3}.items():
        monkeypatch.setattr(kernel, name, size)


def inputs(
    num_leaves: int, num_words: int, dtype: torch.dtype = torch.float64, *, has_bias: bool = True, size: float = 1.0
) -> Inputs:
    generator = torch.Generator().manual_seed(num_leaves + num_words)
    leaves, table, bias = (
        (size * torch.randn(*shape, generator=generator, dtype=torch.float64)).to(dtype).requires_grad_()
        for shape in ((num_leaves, 6), (num_words, 6), (num_words,))
    )
    token_ids = torch.randint(num_words, (num_leaves,), generator=generator)
    return leaves, token_ids, table, bias if has_bias else None


def value_and_gradients(loss: Tensor, values: Inputs, *, retain_graph: bool = False) -> list[Tensor]:
    sides = [side for side in values if side is not None and side.requires_grad]
    return [loss.detach(), *torch.autograd.grad(loss, sides, retain_graph=retain_graph)]


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize(("num_leaves", "num_words"), SIZES)
def test_loss_and_gradients_equal_the_formula(num_leaves: int, num_words: int, has_bias: bool):
    values = inputs(num_leaves, num_words, has_bias=has_bias)
    expected = value_and_gradients(leaf_cross_entropy(*values), values)
    for one, other in zip(value_and_gradients(token_cross_entropy(*values), values), expected, strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        torch.testing.assert_close(token_cross_entropy(*values), expected[0])


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("num_threads", [1, 2, 5])
@pytest.mark.parametrize(("num_leaves", "num_words"), SIZES)
def test_threads_do_not_change_the_loss(num_leaves: int, num_words: int, num_threads: int):
    values = inputs(num_leaves, num_words)
    expected = value_and_gradients(leaf_cross_entropy(*values), values)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(num_threads)
        found = value_and_gradients(token_cross_entropy(*values), values)
        with torch.inference_mode():
            torch.testing.assert_close(token_cross_entropy(*values), expected[0])
    finally:
        torch.set_num_threads(before)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_a_worked_leaf():
    # Logits 0 and 1 of the tokens, the first one is right: the loss is log(1 + e).
    leaf, table = torch.ones(1, 1, requires_grad=True), torch.tensor([[0.0], [1.0]], requires_grad=True)
    loss = token_cross_entropy(leaf, torch.tensor([0]), table)
    loss.backward()
    share = 1 / (1 + torch.tensor(-1.0).exp())
    torch.testing.assert_close(loss, torch.tensor(1.0).exp().log1p())
    torch.testing.assert_close(leaf.grad, share[None, None])
    torch.testing.assert_close(table.grad, torch.stack([-share, share])[:, None])


def test_the_gradients_are_those_of_finite_differences():
    assert torch.autograd.gradcheck(token_cross_entropy, inputs(5, 7))


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("size", [10.0, 100.0])
def test_logits_in_the_thousands_stay_exact(size: float):
    values = inputs(20, 40, torch.float32, size=size)
    exact: Inputs = tuple(
        side.detach().double().requires_grad_() if side.is_floating_point() else side for side in values
    )  # pyright: ignore[reportAssignmentType, reportOptionalMemberAccess] all are tensors
    expected = value_and_gradients(leaf_cross_entropy(*exact), exact)
    found = value_and_gradients(token_cross_entropy(*values), values)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-3, atol=1e-5 * size)


@pytest.mark.usefixtures("small_tiles")
def test_words_that_a_bias_rules_out_get_no_gradient():
    leaves, _, table, bias = inputs(9, 31)
    assert bias is not None
    ruled_out = bias.detach().clone()
    ruled_out[:20] = -torch.inf
    values: Inputs = (leaves, torch.full((9,), 25), table, ruled_out.requires_grad_())
    expected = value_and_gradients(leaf_cross_entropy(*values), values)
    for one, other in zip(value_and_gradients(token_cross_entropy(*values), values), expected, strict=True):
        torch.testing.assert_close(one, other)


def test_the_gradient_of_the_loss_is_passed_on_and_can_be_had_twice():
    values = inputs(9, 31)
    expected = value_and_gradients(leaf_cross_entropy(*values) / 2, values)
    loss = token_cross_entropy(*values) / 2
    for _ in range(2):
        for one, other in zip(value_and_gradients(loss, values, retain_graph=True), expected, strict=True):
            torch.testing.assert_close(one, other)


def test_a_second_derivative_is_refused_rather_than_wrong():
    values = inputs(4, 5)
    (gradient,) = torch.autograd.grad(token_cross_entropy(*values) ** 2, values[:1], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_comes_out_as_not_finite(value: float):
    values = inputs(4, 5, torch.float32)
    with torch.no_grad():
        values[0][1, 0] = value
    loss, of_leaves, *_ = value_and_gradients(token_cross_entropy(*values), values)
    assert not loss.isfinite()
    assert not of_leaves[1].isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_computed_in_float32(dtype: torch.dtype):
    values = inputs(40, 300, dtype)
    found = value_and_gradients(token_cross_entropy(*values), values)
    wide: Inputs = tuple(
        side.detach().float().requires_grad_() if side.is_floating_point() else side for side in values
    )  # pyright: ignore[reportAssignmentType, reportOptionalMemberAccess] all are tensors
    for one, other in zip(found, value_and_gradients(token_cross_entropy(*wide), wide), strict=True):
        assert one.dtype == dtype
        torch.testing.assert_close(one, other.to(dtype))


def test_autocast_does_not_lower_the_precision():
    values = inputs(40, 300, torch.float32)
    expected = value_and_gradients(token_cross_entropy(*values), values)
    with torch.autocast("cpu", torch.bfloat16):
        found = value_and_gradients(token_cross_entropy(*values), values)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_without_leaves_the_loss_is_nothing():
    leaves, table = torch.zeros(0, 4, requires_grad=True), torch.ones(5, 4)
    loss = token_cross_entropy(leaves, torch.zeros(0, dtype=torch.int64), table)
    loss.backward()
    assert loss.item() == 0.0


@pytest.mark.parametrize("num_words", [300, 300_000])
def test_a_batch_of_one_sentence_repeated_has_the_loss_of_the_sentence(num_words: int):
    leaves, token_ids, table, bias = inputs(3, num_words, torch.float32)
    once: Inputs = (leaves, token_ids, table, bias)
    many: Inputs = (leaves.repeat(200, 1), token_ids.repeat(200), table, bias)
    expected = value_and_gradients(leaf_cross_entropy(*once), once)
    loss = token_cross_entropy(*many)
    torch.testing.assert_close(loss.detach(), expected[0])
    for one, other in zip(torch.autograd.grad(loss, [leaves, table, bias]), expected[1:], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


_PEAK_OF_A_PROCESS = """
import resource, torch
from selfsent.kernels.token_cross_entropy import token_cross_entropy
torch.set_num_threads(1)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def step(num_leaves):
    leaves, table = torch.randn(num_leaves, 8, requires_grad=True), torch.randn(20_000, 8, requires_grad=True)
    token_cross_entropy(leaves, torch.zeros(num_leaves, dtype=torch.int64), table).backward()

step(8)
before = peak()
step(20_000)
print(peak() - before)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_leaves_times_vocabulary():
    pytest.importorskip("resource")
    result = subprocess.run(
        [sys.executable, "-c", _PEAK_OF_A_PROCESS], capture_output=True, text=True, check=True, timeout=200
    )
    assert int(result.stdout) < 20_000**2 * 4 / 10
