"""What a user may feed to tree models without meaning harm: very short beside very long, all the same, no compiler."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from selfsent.kernels.induction import induce
from selfsent.kernels.induction_reference import induce_reference
from selfsent.losses import EntangledReconstructionLoss, NodeContrastiveLoss
from selfsent.modules import TreeEncoder


@pytest.mark.parametrize("objective", [NodeContrastiveLoss, EntangledReconstructionLoss])
def test_a_step_takes_a_sentence_of_one_token_beside_one_of_five_thousand(tiny_tokenizer, objective):
    torch.manual_seed(0)
    cell = "diagonal" if objective is EntangledReconstructionLoss else "affine"
    encoder = TreeEncoder(tokenizer=tiny_tokenizer, channels=2, channel_size=2, cell=cell)
    loss = objective(SentenceTransformer(modules=[encoder], device="cpu"))
    known = len(tiny_tokenizer)
    lengths = torch.tensor([1, 5000, 3])
    mask = torch.arange(5000) < lengths[:, None]
    ids = torch.randint(2, known, mask.shape, generator=torch.Generator().manual_seed(0))
    value = loss([{"input_ids": ids, "attention_mask": mask.long()}])
    value.backward()
    assert value.isfinite()
    for name, parameter in loss.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([3, 1, 4, 1, 5, 9, 2, 6], id="words repeated"),
        pytest.param([7, 7, 7, 7, 7, 7, 7], id="one word only"),
        pytest.param([1, 2, 1, 2, 1, 2, 1, 2, 1], id="two words in turn"),
    ],
)
def test_identical_sentences_get_one_tree_with_ties_resolved_as_in_the_plain_form(words: list[int]):
    torch.manual_seed(0)
    table, composition = torch.randn(10, 12), torch.nn.Linear(8, 4)
    leaves, num_tokens = table[words].repeat(5, 1), np.full(5, len(words))

    def compose(left: Tensor, right: Tensor) -> Tensor:
        both = torch.cat([side.unflatten(1, (3, 4)) for side in (left, right)], dim=2)
        return composition(both).flatten(1)

    trees, up = induce(leaves, num_tokens, composition.weight, composition.bias)
    expected, expected_up = induce_reference(leaves, num_tokens, compose)
    np.testing.assert_array_equal(trees.left, expected.left)
    np.testing.assert_array_equal(trees.right, expected.right)
    torch.testing.assert_close(up, expected_up.detach())
    assert len({tuple(tree.left.tolist()) for tree in trees}) == 1


_WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None  # importing it raises ImportError
"""

_LOSSES = """
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from selfsent.losses import EntangledReconstructionLoss, NodeContrastiveLoss
from selfsent.modules import TreeEncoder

words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["[PAD]", *"abcdefgh"])}, unk_token="[PAD]"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[PAD]")
for objective, cell in [(NodeContrastiveLoss, "affine"), (EntangledReconstructionLoss, "diagonal")]:
    torch.manual_seed(0)
    encoder = TreeEncoder(tokenizer=tokenizer, channels=2, channel_size=3, cell=cell, init_range=1.0)
    model = SentenceTransformer(modules=[encoder], device="cpu")
    loss = objective(model).eval()
    value = loss([model.preprocess(["a b c d", "e", "", "b c f g h a"])])
    value.backward()
    print(value.item(), *(p.grad.double().square().sum().item() for p in loss.parameters()))
print(*model.encode(["c a b", "d"]).flatten().tolist(), len(model.encode([""])))
"""


@pytest.mark.slow
def test_a_machine_without_avx2_and_without_a_cache_has_the_same_results(tmp_path: Path):
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    generic = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "ATEN_CPU_CAPABILITY": "default"}
    uncached = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator", "NUMBA_CACHE_DIR": str(in_the_way / "cache")}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", _LOSSES],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        for environment in ({}, {**generic, **uncached, "OMP_NUM_THREADS": "5", "NUMBA_NUM_THREADS": "5"})
    ]
    assert [output.returncode for output in outputs] == [0, 0], outputs
    expected, found = ([[float(x) for x in line.split()] for line in output.stdout.splitlines()] for output in outputs)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    notes = [line for line in outputs[1].stderr.splitlines() if "NUMBA_CACHE_DIR" in line]
    assert len(notes) == 1


@pytest.mark.slow
def test_without_numba_one_line_says_so_and_the_results_are_the_same():
    outputs = [
        subprocess.run(
            [sys.executable, "-c", before + _LOSSES], capture_output=True, text=True, check=False, timeout=140
        )
        for before in ("", _WITHOUT_NUMBA)
    ]
    assert [output.returncode for output in outputs] == [0, 0], outputs
    expected, found = ([[float(x) for x in line.split()] for line in output.stdout.splitlines()] for output in outputs)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    messages = [line for line in outputs[1].stderr.splitlines() if "numba" in line]
    assert len(messages) == 1
    assert "pip install numba" in messages[0]
    assert "numba" not in outputs[0].stderr
