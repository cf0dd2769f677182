"""Triton's kernels: what they compute in Triton's interpreter, that they compile for GPUs, and when they are chosen."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from selfsent.kernels import affine_passes, triton_choice
from selfsent.kernels.affine_passes import serves
from selfsent.kernels.triton_choice import uses_triton
from selfsent.modules import AffineDecomposition

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="triton is not installed, as it comes with torch for GPUs"
)


@pytest.mark.slow
@needs_triton
def test_kernels_compute_in_the_interpreter_what_the_plain_forms_do():
    interpreted = Path(__file__).with_name("triton_interpreted.py")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", str(interpreted)],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:]


_COMPILE = """
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from selfsent.kernels.triton_cells import channel_blocks
from selfsent.kernels.triton_contrastive import _log_row_sums_kernel, _weighted_sums_kernel, block_sizes
from selfsent.kernels.triton_induction import _induce
from selfsent.kernels.triton_passes import _compose, _compose_backward, _decompose, _decompose_backward

INDICES = ["merge_offsets", "first_parents", "lefts", "rights", "token_counts", "node_offsets", "leaf_offsets"]
KINDS = dict.fromkeys([*INDICES, "following", "preceding", "nodes"], "*i64")
KINDS |= {"scale": "fp32", "num_rows": "i32", "num_columns": "i32"}


def compile_for_gpu(kernel, constants, **kinds):
    options = {"num_stages": constants.pop("num_stages", 3)}
    constants = {name: value for name, value in constants.items() if name in kernel.arg_names}
    signature = {name: (KINDS | kinds).get(name, "*fp32") for name in kernel.arg_names}
    signature |= dict.fromkeys(constants, "constexpr")
    places = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(kernel, signature, places)
    compiled = triton.compile(source, target=GPUTarget("cuda", 80, 32), options=options)
    print(kernel.__name__, compiled.metadata.shared)


for kernel in (_compose, _compose_backward, _decompose, _decompose_backward):
    compile_for_gpu(kernel, channel_blocks(100, 10) | {"has_noise": True})
compile_for_gpu(_induce, channel_blocks(100, 10) | {"padded_dimension": 128, "scan": 256, "has_noise": True})
for kernel in (_log_row_sums_kernel, _weighted_sums_kernel):
    compile_for_gpu(kernel, block_sizes(256, torch.float32))
    compile_for_gpu(kernel, block_sizes(100, torch.bfloat16), rows="*bf16", columns="*bf16")
"""


@pytest.mark.slow
@needs_triton
def test_kernels_compile_for_a_gpu_that_need_not_be_there():
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    result = subprocess.run(
        [sys.executable, "-c", _COMPILE], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-4000:]
    shared = [int(line.split()[-1]) for line in result.stdout.splitlines()]
    assert len(shared) == 9
    assert max(shared) <= 64 * 1024, "what a program may use on Turing, and more on all later GPUs"


def test_a_cpu_is_not_served(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert not uses_triton(torch.zeros(2))


def test_without_triton_nothing_is_served(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setattr(triton_choice, "_is_installed", lambda: False)
    assert not uses_triton(torch.zeros(2))


def test_double_precision_is_not_served(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setattr(triton_choice, "_is_installed", lambda: True)
    assert uses_triton(torch.zeros(2))
    assert not uses_triton(torch.zeros(2, dtype=torch.float64))


def test_a_channel_whose_weights_fit_no_registers_is_not_served(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setattr(triton_choice, "_is_installed", lambda: True)
    values, cell = torch.zeros(1, 256), AffineDecomposition(256)
    assert serves(values, AffineDecomposition(64).linear)
    assert not uses_triton(values, channel_size=256)
    monkeypatch.setattr(affine_passes, "is_compiled", False)
    assert not serves(values, cell.linear)


@needs_triton
@pytest.mark.parametrize(
    ("difference", "is_used"),
    [pytest.param(1e-4, True, id="right"), pytest.param(float("nan"), False, id="wrong"), pytest.param(None, False)],
)
def test_a_gpu_on_which_they_fail_or_differ_is_left_to_torch_with_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, difference: float | None, is_used: bool
):
    from selfsent.kernels import triton_check

    def check(device: torch.device) -> float:
        if difference is None:
            raise RuntimeError("no compiler was found")
        return difference

    monkeypatch.setattr(triton_check, "largest_difference", check)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    assert triton_choice._works_on.__wrapped__(0) is is_used
    assert len(caplog.records) == (not is_used)
