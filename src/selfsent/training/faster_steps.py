"""What makes a training step faster: cheaper dropout, and gradients of touched rows alone."""

import contextlib
from collections.abc import Generator, Iterable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from selfsent.kernels.bit_dropout import bit_dropout
from selfsent.kernels.tensor_parts import divided_operations


def _forward(module: nn.Dropout, input: Tensor) -> Tensor:  # noqa: A002 the name torch gives it
    if not module.training or module.p == 0:
        return input
    if input.device.type != "cpu" or input.dtype != torch.float32 or module.p >= 1:
        return functional.dropout(input, module.p, training=True)
    return bit_dropout(input, module.p)


@contextlib.contextmanager
def fast_dropout(model: nn.Module) -> Generator[None]:
    """Let every ``nn.Dropout`` of a model draw by ``bit_dropout`` within the block, where it runs on a CPU in float32.

    The model itself is not changed: nothing of this is saved. Dropout inside fused attention stays torch's.

    Args:
        model: Any module.
    """
    modules = [module for module in model.modules() if type(module) is nn.Dropout and not module.inplace]
    for module in modules:
        module.forward = partial(_forward, module)
    try:
        yield
    finally:
        for module in modules:
            del module.forward


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
        self.rows: torch.Tensor | None = None
        self.handle = table.weight.register_post_accumulate_grad_hook(self)

    def __call__(self, parameter: torch.Tensor) -> None:
        """Put the dense gradient in the place of a sparse one; what is dense already was added up by torch."""
        gradient = parameter.grad
        self.rows = None
        if gradient is None or not gradient.is_sparse:
            return
        gradient = gradient.coalesce()
        self.dense, self.rows = self._zeros(parameter), gradient.indices()[0]
        parameter.grad = self.dense.index_copy_(0, self.rows, gradient.values())

    def touched_rows(self, parameter: torch.Tensor) -> torch.Tensor | None:
        """Rows outside which the gradient that a parameter has now is zero; ``None`` where that is not known."""
        return self.rows if parameter.grad is self.dense else None

    def _zeros(self, parameter: torch.Tensor) -> torch.Tensor:
        """The table of the last step, if it still fits."""
        dense = self.dense
        if dense is None or dense.device != parameter.device or dense.dtype != parameter.dtype:
            return torch.zeros_like(parameter)
        with divided_operations():  # as the optimizer's step on it will be
            return dense.zero_()


class GatheredGradients:
    """Gradients of a step, of which those of large tables are known to be zero but for the rows a batch touched.

    Args:
        kept: Of each table's weight.
    """

    def __init__(self, kept: Mapping[torch.Tensor, _KeptGradient]) -> None:
        self._kept = kept

    @torch.no_grad()
    def clip(self, parameters: Iterable[torch.Tensor], max_norm: float) -> torch.Tensor:
        """Scale gradients so that their norm is at most ``max_norm``, as ``torch.nn.utils.clip_grad_norm_`` does.

        Rows of a table that are zero are neither read nor written. (That a norm which is not a number makes every
        gradient one is kept up for the other rows only.)

        Args:
            parameters: What has the gradients.
            max_norm: The largest norm.

        Returns:
            The norm before.
        """
        dense: list[torch.Tensor] = []
        parts: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        for parameter in parameters:
            kept = self._kept.get(parameter)
            rows = None if kept is None else kept.touched_rows(parameter)
            if parameter.grad is not None and rows is not None:
                parts.append((parameter.grad, rows, parameter.grad[rows]))
            elif parameter.grad is not None:
                dense.append(parameter.grad)
        values = [*dense, *(part for _, _, part in parts)]
        if not values:
            return torch.zeros(())
        norm = torch.nn.utils.get_total_norm(values)
        factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)
        for value in values:
            value.mul_(factor)
        for gradient, rows, part in parts:
            gradient.index_copy_(0, rows, part)
        return norm


@contextlib.contextmanager
def gathered_embedding_gradients(model: nn.Module) -> Generator[GatheredGradients]:
    """Let the backward pass of large ``nn.Embedding`` tables keep rows, not tables, until they are added up.

    Torch fills a table of zeros at every use of an embedding, so a batch that is embedded in four groups pays for four
    tables. Within the block it pays for the rows it touched; the gradient an optimizer finds is dense and the same, up
    to the order of additions. Its memory is kept and used again after ``zero_grad``, so no gradient of an earlier
    step may be kept.

    Args:
        model: Any module; not one that several ranks train together, whose gradients are reduced as they come.

    Yields:
        What clips the gradients, and knows which rows of the tables are not zero.
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
        yield GatheredGradients({module.weight: gradient for module, gradient in zip(tables, kept, strict=True)})
    finally:
        for module, gradient in zip(tables, kept, strict=True):
            module.sparse = False
            gradient.handle.remove()
