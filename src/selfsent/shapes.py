"""The axis legend: what each letter in a shape annotation stands for, in the whole package.

======  =======================================================================================
letter  axis
======  =======================================================================================
``B``   sentences of a batch
``T``   tokens of the longest sentence of a batch (positions)
``L``   leaves of all trees of a batch: tokens without padding
``N``   nodes of all trees of a batch: ``sum(2 * tokens - 1)`` over its sentences
``D``   embedding, ``D = K * U`` in tree models (channels times values per channel)
``M``   further candidates, such as negatives
``Q``   rows of an instance queue (the papers' K)
``V``   vocabulary
======  =======================================================================================

Annotations are jaxtyping's; the tests execute them (``tests/conftest.py``).
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

Embeddings = Float[Tensor, "B D"]
TokenEmbeddings = Float[Tensor, "B T D"]
TokenIds = Int[Tensor, "B T"]
TokenMask = Bool[Tensor, "B T"] | Int[Tensor, "B T"]
NodeEmbeddings = Float[Tensor, "N D"]
Scalar = Float[Tensor, ""]

__all__ = ["Embeddings", "NodeEmbeddings", "Scalar", "TokenEmbeddings", "TokenIds", "TokenMask"]
