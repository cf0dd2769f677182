"""The axis legend: what each letter in a shape annotation stands for, in the whole package.

======  =======================================================================================
letter  axis
======  =======================================================================================
``B``   sentences of a batch
``T``   tokens of the longest sentence of a batch (positions)
``L``   leaves of all trees of a batch: tokens without padding
``N``   nodes of all trees of a batch: ``sum(2 * tokens - 1)`` over its sentences
``D``   embedding, ``D = K * U`` in tree models (channels times values per channel)
``I``   merges of all trees of a batch: internal nodes
``R``   roots of a batch; rows of a table that tokens share
``P``   rows that are computed side by side: parents with their children, pairs, places
``S``   state of a node, whose first ``D`` values are its embedding
``U``   channel of an embedding
``A``   sentences of a batch that still merge
``G``   rows of a group of like length
``M``   further rows, such as negatives
``C``   candidates of a query
``K``   texts that have a vector
``Q``   rows of an instance queue (the papers' K)
``V``   vocabulary
``W``   directions of a random basis
======  =======================================================================================

Annotations are jaxtyping's; the tests execute them (``tests/conftest.py``).
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

Embeddings = Float[Tensor, "B D"]
TokenEmbeddings = Float[Tensor, "B T D"]
TokenMask = Bool[Tensor, "B T"] | Int[Tensor, "B T"]

__all__ = ["Embeddings", "TokenEmbeddings", "TokenMask"]
