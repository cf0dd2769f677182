"""Self-StrAE's greedy induction: merge the most similar adjacent pair until one node is left.

Source: Opper et al., EMNLP 2023 (Self-StrAE). The paper names no rule for ties: the first best pair is taken here.
No gradient passes through the choice, so the trees of a batch can be found first, by the compiled loops of
`selfsent.kernels.greedy_merges`. ``induce_reference`` is the plain form they are tested against.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsent.compiler import is_compiled
from selfsent.kernels.greedy_merges import merge_greedily
from selfsent.kernels.induction_reference import affine, induce_reference
from selfsent.kernels.small_products import FloatArray, widened
from selfsent.kernels.triton_choice import uses_triton
from selfsent.trees.arrays import TreeBatch
from selfsent.trees.tree import IntArray


def induce(
    leaves: Float[Tensor, "L D"],
    num_tokens: IntArray,
    weight: Float[Tensor, "U U2"],
    bias: Float[Tensor, " U"],
    noise: Float[Tensor, "I D"] | None = None,
) -> tuple[TreeBatch, Float[Tensor, "N D"]]:
    """Find all trees of a batch under an affine composition, in parallel over sentences, without gradient.

    A GPU's leaves are merged there where Triton's kernels serve, others on the CPU; without numba by the plain form.

    Args:
        leaves: Leaf embeddings of all sentences, one after another; ``D`` is channels times channel size.
        num_tokens: Leaves of each sentence, ``(B,)``.
        weight: Composition weight, ``(U, 2U)`` as ``torch.nn.Linear`` keeps it.
        bias: Composition bias.
        noise: Factors on each composed embedding (dropout), in merge order; ``None`` for none.

    Returns:
        The trees, and the upward embedding of every node.
    """
    if uses_triton(leaves, channel_size=len(bias)):
        from selfsent.kernels import triton_induction  # noqa: PLC0415 it imports triton

        return triton_induction.induce(leaves, num_tokens, weight, bias, noise)
    if not is_compiled:
        return _induce_plainly(leaves, num_tokens, weight, bias, noise)
    factors = None if noise is None else noise.float().cpu().contiguous().numpy()
    rows, weight_t, biases = compiled_inputs(leaves, weight, bias)
    left, right, up = merge_greedily(rows, num_tokens, weight_t, biases, factors)
    return TreeBatch(num_tokens, left, right), torch.from_numpy(up).to(leaves)


def compiled_inputs(
    leaves: Float[Tensor, "L D"], weight: Float[Tensor, "U U2"], bias: Float[Tensor, " U"]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give compiled loops what they read: leaves, and the transposed weight and the bias, both widened."""
    rows, weight_t, biases = (tensor.detach().float().cpu().contiguous().numpy() for tensor in (leaves, weight.T, bias))
    return rows, widened(weight_t), widened(biases)


@torch.no_grad()
def _induce_plainly(
    leaves: Tensor, num_tokens: IntArray, weight: Tensor, bias: Tensor, noise: Tensor | None
) -> tuple[TreeBatch, Tensor]:
    """Find trees by the plain form in float32, as the compiled one does."""
    if not num_tokens.any():
        return TreeBatch(num_tokens, *np.empty((2, 0), dtype=np.int64)), leaves.detach()
    composition = affine(*(side.detach().float().cpu() for side in (weight, bias)))
    factors = None if noise is None else noise.float().cpu()
    trees, up = induce_reference(leaves.detach().float().cpu(), num_tokens, composition, factors)
    return trees, up.to(leaves)
