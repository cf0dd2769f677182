"""Gradients of embedding tables: gathered as the rows a batch touched, spread over the whole table once a step."""

import contextlib
from collections.abc import Generator

import torch
from torch import nn

_FEW_ROWS = 4096


class _KeptGradient:
    """One dense gradient for all steps, set to zero before it is used again.

    Setting memory to zero costs far less than allocating it at each step. All rows are set to zero, not only those of
    the last use: clipping by a norm that is NaN, momentum or noise added in place may have changed any row.

    Args:
        table: The module whose gradient it is.
    """

    def __init__(self, table: nn.Embedding) -> None:
        self.dense: torch.Tensor | None = None
        self.handle = table.weight.register_post_accumulate_grad_hook(self)

    def __call__(self, parameter: torch.Tensor) -> None:
        """Put the dense gradient in the place of a sparse one; what is dense already was added up by torch."""
        gradient = parameter.grad
        if gradient is None or not gradient.is_sparse:
            return
        gradient = gradient.coalesce()
        self.dense = self._zeros(parameter)
        parameter.grad = self.dense.index_copy_(0, gradient.indices()[0], gradient.values())

    def _zeros(self, parameter: torch.Tensor) -> torch.Tensor:
        """The table of the last step, if it still fits."""
        dense = self.dense
        if dense is None or dense.device != parameter.device or dense.dtype != parameter.dtype:
            return torch.zeros_like(parameter)
        return dense.zero_()


@contextlib.contextmanager
def gathered_embedding_gradients(model: nn.Module) -> Generator[None]:
    """Let the backward pass of large ``nn.Embedding`` tables keep rows, not tables, until they are added up.

    Torch fills a table of zeros at every use of an embedding, so a batch that is embedded in four groups pays for four
    tables. Within the block it pays for the rows it touched; the gradient an optimizer finds is dense and the same, up
    to the order of additions. Its memory is kept and used again after ``zero_grad``, so no gradient of an earlier
    step may be kept.

    Args:
        model: Any module; not one that several ranks train together, whose gradients are reduced as they come.
    """
    tables = [
        module
        for module in model.modules()
        if isinstance(module, nn.Embedding)
        and module.num_embeddings >= _FEW_ROWS
        and not module.sparse
        and module.weight.requires_grad
        and not module.scale_grad_by_freq
    ]
    kept = [_KeptGradient(module) for module in tables]
    for module in tables:
        module.sparse = True
    try:
        yield
    finally:
        for module, gradient in zip(tables, kept, strict=True):
            module.sparse = False
            gradient.handle.remove()
