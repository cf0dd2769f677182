import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from selfsent.kernels import contrastive, contrastive_tiles
from selfsent.kernels.contrastive import tiled_symmetric_info_nce
from selfsent.losses.functional import node_contrastive

TEMPERATURES = [1.0, 0.8187, 0.05, 0.005]
SIZES = [1, 2, 31, 32, 33, 100, 131]


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch):
    """Tiles of which the sizes above are none, one and several, whole and broken, down and across."""
    monkeypatch.setattr(contrastive_tiles, "_TILE_ROWS", 32)
    monkeypatch.setattr(contrastive_tiles, "_TILE_COLUMNS", 48)


def unit_rows(num_rows: int, dtype: torch.dtype = torch.float64, *, spread: float = 0.5) -> tuple[Tensor, Tensor]:
    """Pairs of unit vectors that lie near each other, so that the positives matter at every temperature."""
    generator = torch.Generator().manual_seed(num_rows)
    rows = torch.randn(num_rows, 12, generator=generator, dtype=torch.float64)
    columns = rows + spread * torch.randn(num_rows, 12, generator=generator, dtype=torch.float64)
    return tuple(functional.normalize(side, dim=1).to(dtype).requires_grad_() for side in (rows, columns))


def value_and_gradients(loss: Tensor, *sides: Tensor) -> list[Tensor]:
    return [loss.detach(), *torch.autograd.grad(loss, sides)]


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("num_rows", SIZES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=str)
def test_the_tiled_loss_equals_the_formula(num_rows: int, temperature: float, dtype: torch.dtype, tolerance: float):
    exact = unit_rows(num_rows)
    expected = value_and_gradients(node_contrastive(*exact, temperature=temperature), *exact)
    # The formula normalises, the kernel is given unit vectors: compare gradients along the sphere.
    sides = unit_rows(num_rows, dtype)
    loss = tiled_symmetric_info_nce(*(functional.normalize(side, dim=1) for side in sides), temperature=temperature)
    found = value_and_gradients(loss, *sides)
    # A rounding of a cosine is multiplied by 1 / temperature.
    allowed = tolerance * max(1.0, 0.05 / temperature if dtype == torch.float32 else 1.0)
    torch.testing.assert_close(found[0].double(), expected[0], atol=allowed, rtol=allowed)
    for one, other in zip(found[1:], expected[1:], strict=True):
        unit = 1 / (temperature * num_rows)  # the size of the two terms a gradient is the difference of
        torch.testing.assert_close(one.double() / unit, other / unit, atol=allowed, rtol=0)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_rows_unlike_their_columns_at_a_low_temperature_stay_exact(temperature: float):
    # Every positive is opposite: the positive's weight underflows in float32 unless sums are kept as logarithms.
    rows = functional.normalize(torch.randn(40, 6, generator=torch.Generator().manual_seed(0)), dim=1)
    expected = node_contrastive(rows.double(), -rows.double(), temperature=temperature)
    found = tiled_symmetric_info_nce(rows, -rows, temperature=temperature)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.8187, 0.05, 0.02])
@pytest.mark.parametrize("num_rows", [1, 5])
def test_the_gradients_are_those_of_finite_differences(num_rows: int, temperature: float):
    sides = unit_rows(num_rows)
    assert torch.autograd.gradcheck(lambda *both: tiled_symmetric_info_nce(*both, temperature=temperature), sides)


def test_a_worked_pair():
    # Cosines 1 and 0: each row's and column's loss is log(1 + e^(-1 / T)).
    sides = torch.eye(2)
    expected = torch.tensor(-2.0).exp().log1p()
    torch.testing.assert_close(tiled_symmetric_info_nce(sides, sides, temperature=0.5), expected)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_half_precision_is_summed_in_float32(temperature: float):
    sides = tuple(side.detach().requires_grad_() for side in unit_rows(700, torch.bfloat16))
    found = value_and_gradients(tiled_symmetric_info_nce(*sides, temperature=temperature), *sides)
    assert all(value.isfinite().all() for value in found)
    assert {value.dtype for value in found} == {torch.bfloat16}
    same = tuple(side.detach().float() for side in sides)
    torch.testing.assert_close(found[0], tiled_symmetric_info_nce(*same, temperature=temperature).bfloat16())


@pytest.mark.parametrize("temperature", [0.8187, 0.05, 0.02])
def test_half_precision_is_multiplied_as_it_is_where_products_add_up_in_float32(
    temperature: float, monkeypatch: pytest.MonkeyPatch
):
    def product(one: Tensor, other: Tensor) -> Tensor:
        assert one.dtype == other.dtype == torch.bfloat16
        return one.float() @ other.float()

    sides = tuple(side.detach().requires_grad_() for side in unit_rows(131, torch.bfloat16))
    wide = tuple(side.detach().double().requires_grad_() for side in sides)
    expected = value_and_gradients(tiled_symmetric_info_nce(*wide, temperature=temperature), *wide)
    monkeypatch.setattr(contrastive, "_multiplies_half_precision", lambda _: True)
    monkeypatch.setattr(contrastive_tiles, "_product", product)
    found = value_and_gradients(tiled_symmetric_info_nce(*sides, temperature=temperature), *sides)
    assert {value.dtype for value in found} == {torch.bfloat16}
    rounding = 2.0**-8
    torch.testing.assert_close(found[0].double(), expected[0], rtol=rounding, atol=0)
    for one, other in zip(found[1:], expected[1:], strict=True):
        unit = 1 / (temperature * len(sides[0]))
        torch.testing.assert_close(one.double() / unit, other / unit, rtol=2 * rounding, atol=rounding)


def test_not_a_number_comes_out_as_it_went_in():
    rows, columns = unit_rows(40)
    with torch.no_grad():
        rows[3, 0] = torch.nan
    loss, of_rows, _ = value_and_gradients(tiled_symmetric_info_nce(rows, columns, temperature=0.8), rows, columns)
    assert loss.isnan()
    assert of_rows.isnan().any()


def test_autocast_does_not_lower_the_precision():
    sides = unit_rows(300, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = value_and_gradients(tiled_symmetric_info_nce(*sides, temperature=0.05), *sides)
    expected = value_and_gradients(tiled_symmetric_info_nce(*sides, temperature=0.05), *sides)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.8187, 0.02])
@pytest.mark.parametrize("num_kept", [0, 1, 4, 100])
def test_it_does_not_matter_how_many_tiles_are_kept(num_kept: int, temperature: float, monkeypatch: pytest.MonkeyPatch):
    sides = unit_rows(131)
    expected = value_and_gradients(tiled_symmetric_info_nce(*sides, temperature=temperature), *sides)
    monkeypatch.setattr(contrastive_tiles, "_KEPT_BYTES", num_kept * 32 * 48 * 8)
    found = value_and_gradients(tiled_symmetric_info_nce(*sides, temperature=temperature), *sides)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("temperature", [0.8187, 0.02])
@pytest.mark.parametrize("num_threads", [1, 2, 5])
@pytest.mark.parametrize("num_rows", [1, 3, 131])
def test_threads_do_not_change_the_loss(num_rows: int, num_threads: int, temperature: float):
    sides = unit_rows(num_rows)
    expected = value_and_gradients(node_contrastive(*sides, temperature=temperature), *sides)
    normal = [functional.normalize(side, dim=1) for side in sides]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(num_threads)
        found = value_and_gradients(tiled_symmetric_info_nce(*normal, temperature=temperature), *sides)
        assert torch.get_num_threads() == num_threads
    finally:
        torch.set_num_threads(before)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("temperature", [0.8187, 0.02])
def test_the_gradients_can_be_had_twice(temperature: float):
    sides = unit_rows(131)
    loss = tiled_symmetric_info_nce(*sides, temperature=temperature)
    first = torch.autograd.grad(loss, sides, retain_graph=True)
    for one, other in zip(torch.autograd.grad(loss, sides), first, strict=True):
        torch.testing.assert_close(one, other)


def test_without_rows_the_loss_is_nothing():
    rows, columns = (torch.zeros(0, 4, requires_grad=True) for _ in range(2))
    loss = tiled_symmetric_info_nce(rows, columns, temperature=0.5)
    loss.backward()
    assert loss.item() == 0.0


def test_a_second_derivative_is_refused_rather_than_wrong():
    sides = unit_rows(4)
    squared = tiled_symmetric_info_nce(*sides, temperature=1.0) ** 2
    (gradient,) = torch.autograd.grad(squared, sides[:1], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


_PEAK_OF_A_PROCESS = """
import resource, torch
from selfsent.kernels.contrastive import tiled_symmetric_info_nce
torch.set_num_threads(1)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def step(num_rows):
    sides = [torch.nn.functional.normalize(torch.randn(num_rows, 8), dim=1).requires_grad_() for _ in range(2)]
    tiled_symmetric_info_nce(*sides, temperature=0.8).backward()

step(512)
before = peak()
step(30_000)
print(peak() - before)
"""


@pytest.mark.slow
def test_memory_grows_with_the_rows_and_not_with_their_square():
    pytest.importorskip("resource")
    result = subprocess.run(
        [sys.executable, "-c", _PEAK_OF_A_PROCESS], capture_output=True, text=True, check=True, timeout=200
    )
    square = 30_000**2 * 4
    kept = contrastive_tiles._KEPT_BYTES
    assert kept < square / 10
    assert int(result.stdout) < square / 10
