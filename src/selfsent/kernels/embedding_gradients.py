"""Gradients of embedding tables: gathered as the rows a batch touched, spread over the whole table once a step."""

import contextlib
from collections.abc import Generator

import torch
from torch import nn

_FEW_ROWS = 4096


def _to_dense(parameter: torch.Tensor) -> None:
    if parameter.grad is not None and parameter.grad.is_sparse:
        parameter.grad = parameter.grad.to_dense()


@contextlib.contextmanager
def gathered_embedding_gradients(model: nn.Module) -> Generator[None]:
    """Let the backward pass of large ``nn.Embedding`` tables keep rows, not tables, until they are added up.

    Torch fills a table of zeros at every use of an embedding, so a batch that is embedded in four groups pays for four
    tables. Within the block it pays for one; the gradient an optimizer finds is dense and the same, up to the order of
    additions.

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
    handles = [module.weight.register_post_accumulate_grad_hook(_to_dense) for module in tables]
    for module in tables:
        module.sparse = True
    try:
        yield
    finally:
        for module, handle in zip(tables, handles, strict=True):
            module.sparse = False
            handle.remove()
