"""What a loss owns beside the model it trains (heads, decoders, queues): naming it, saving it, keeping ranks equal."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from transformers import PreTrainedModel

from selfsent.errors import UserError

LOSS_STATE_FILE = "loss.safetensors"

Losses = nn.Module | Mapping[str, nn.Module]


def _named_losses(loss: Losses) -> Iterator[tuple[str, nn.Module]]:
    """The losses with the prefix of their saved names: none for a single loss, ``name:`` for one of several."""
    if isinstance(loss, nn.Module):
        yield "", loss
    else:
        yield from ((f"{name}:", one) for name, one in sorted(loss.items()))


def _foreign_tensors(loss: nn.Module, model: nn.Module) -> set[int]:
    """Identities of the tensors a loss only borrows: those of the trained model, and of teachers (frozen models)."""
    borrowed: list[nn.Module] = [model]
    for module in loss.modules():
        is_whole_model = isinstance(module, SentenceTransformer | PreTrainedModel)
        if is_whole_model and not any(parameter.requires_grad for parameter in module.parameters()):
            borrowed.append(module)
    return {id(tensor) for module in borrowed for tensor in (*module.parameters(), *module.buffers())}


def own_tensors(loss: Losses, model: nn.Module) -> dict[str, Tensor]:
    """Name the parameters and persistent buffers that belong to the loss and not to a model it holds.

    Tensors are recognised by identity, not by name, so a wrapped model (``DistributedDataParallel``) changes nothing.
    A frozen ``SentenceTransformer`` or ``PreTrainedModel`` inside the loss is a teacher: it never changes, so it is
    left out.

    Args:
        loss: The loss, or the losses by data set name.
        model: The model they train.

    Returns:
        The live tensors (not copies) by their name in the loss's ``state_dict``.

    Raises:
        TypeError: The loss keeps extra state that is not a tensor, which could not be saved.
    """
    tensors: dict[str, Tensor] = {}
    for prefix, one in _named_losses(loss):
        foreign = _foreign_tensors(one, model)
        for name, value in one.state_dict(keep_vars=True).items():
            if not isinstance(value, Tensor):
                raise TypeError(f"{type(one).__name__} keeps {name} as {type(value).__name__}; keep it as a buffer")
            if id(value) not in foreign:
                tensors[prefix + name] = value
    return tensors


def own_parameters(loss: Losses, model: nn.Module) -> list[nn.Parameter]:
    """The trainable parameters among ``own_tensors``, each once, in a fixed order."""
    parameters = {
        id(tensor): tensor
        for tensor in own_tensors(loss, model).values()
        if isinstance(tensor, nn.Parameter) and tensor.requires_grad
    }
    return list(parameters.values())


def save_loss_state(loss: Losses, model: nn.Module, folder: Path) -> None:
    """Write ``own_tensors`` to ``folder/loss.safetensors``; nothing is written for a loss that owns none."""
    tensors = {name: tensor.detach().cpu().clone() for name, tensor in own_tensors(loss, model).items()}
    if tensors:
        save_file(tensors, folder / LOSS_STATE_FILE)


def load_loss_state(loss: Losses, model: nn.Module, folder: Path) -> None:
    """Put the tensors of ``folder/loss.safetensors`` back into the loss, in place.

    Raises:
        UserError: The file is missing, or holds other tensors than the loss owns.
    """
    own = own_tensors(loss, model)
    path = folder / LOSS_STATE_FILE
    saved = load_file(path) if path.is_file() else {}
    if saved.keys() != own.keys():
        differing = ", ".join(sorted(saved.keys() ^ own.keys())[:4])
        raise UserError(
            f"{folder} was saved by another loss (differs in {differing}); resume with the recipe that wrote it"
        )
    with torch.no_grad():
        for name, tensor in own.items():
            if saved[name].shape != tensor.shape:
                raise UserError(
                    f"{path}: {name} has shape {tuple(saved[name].shape)}, the loss needs {tuple(tensor.shape)}; "
                    "resume with the recipe that wrote it"
                )
            tensor.copy_(saved[name])


def _num_ranks() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def broadcast_loss_state(loss: Losses, model: nn.Module) -> None:
    """Give every rank the loss tensors of rank 0; nothing happens in a single process."""
    if _num_ranks() > 1:
        for tensor in own_tensors(loss, model).values():
            dist.broadcast(tensor.detach(), src=0)


def average_gradients(parameters: list[nn.Parameter]) -> None:
    """Average the gradients of ``parameters`` over the ranks; one that no rank touched keeps no gradient.

    Args:
        parameters: The same parameters in the same order on every rank.
    """
    num_ranks = _num_ranks()
    if num_ranks == 1 or not parameters:
        return
    touched = torch.tensor([parameter.grad is not None for parameter in parameters], dtype=torch.int32)
    touched = touched.to(parameters[0].device)
    dist.all_reduce(touched, op=dist.ReduceOp.MAX)
    for parameter, is_touched in zip(parameters, touched.tolist(), strict=True):
        if is_touched:
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            dist.all_reduce(gradient)
            parameter.grad = gradient.div_(num_ranks)
