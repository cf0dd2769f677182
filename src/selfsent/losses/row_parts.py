"""Parts of a batch, each embedded by one thread, forward and backward.

torch divides every operation of a pass among its threads, and each waits for the slowest of them. A thread that embeds
some of the rows alone waits once in a pass.
"""

import contextlib
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import wait
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from selfsent.kernels.bit_dropout import own_draws
from selfsent.kernels.threaded_ranges import thread_pool

Found = TypeVar("Found")

_FEWEST_TOKENS = 768
"""Tokens of a part below which it is not divided further (measured: a part costs some 5 ms of calls)."""
_MOST_PARTS = 8

_is_divided: ContextVar[bool] = ContextVar("passes are divided", default=False)


@contextlib.contextmanager
def divided_passes() -> Generator[None]:
    """Let `num_parts` divide batches within the block, whose dropout must be `selfsent.kernels.bit_dropout`'s."""
    token = _is_divided.set(True)
    try:
        yield
    finally:
        _is_divided.reset(token)


def num_parts(model: nn.Module, num_tokens: int) -> int:
    """Choose into how many parts to divide a batch: 1, 2, 4 or 8, whatever the number of threads.

    So the numbers that dropout draws do not depend on the machine.

    Args:
        model: What embeds them.
        num_tokens: Tokens of the batch.
    """
    if not _is_divided.get() or not torch.is_grad_enabled() or not all(map(_draws_by_bits, model.modules())):
        return 1
    parts = 1
    while parts < _MOST_PARTS and num_tokens >= 2 * parts * _FEWEST_TOKENS:
        parts *= 2
    return parts


def _draws_by_bits(module: nn.Module) -> bool:
    return "Dropout" not in type(module).__name__ or "forward" in module.__dict__  # put there by `fast_dropout`


def embed_parts(
    embed: Callable[[Any], Float[Tensor, "_ D"]], parts: Sequence[Any], parameters: Sequence[Tensor]
) -> list[Float[Tensor, "_ D"]]:
    """Embed parts of a batch on threads; their backward pass is divided in the same way.

    Args:
        embed: Gives the embeddings of a part. All its random numbers are drawn by `selfsent.kernels.bit_dropout`.
        parts: The parts; the first one is the caller's thread's.
        parameters: What gets gradients.

    Returns:
        The embeddings of each part.
    """
    seeds = torch.empty(len(parts), dtype=torch.int64).random_().tolist()

    def drawn(number: int) -> Tensor:
        with own_draws(seeds[number]):
            return embed(parts[number])

    return list(_Parts.apply(drawn, len(parts), *parameters))


class _Parts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, embed: Callable[[int], Tensor], count: int, *parameters: Tensor) -> tuple[Tensor, ...]:
        ctx.parameters = parameters
        ctx.embeddings = _on_threads(embed, range(count))
        return tuple(rows.detach() for rows in ctx.embeddings)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        def of_part(number: int) -> tuple[Tensor | None, ...]:
            rows = ctx.embeddings[number]
            return torch.autograd.grad(rows, ctx.parameters, gradients[number], allow_unused=True)

        found = _on_threads(of_part, range(len(gradients)))
        return None, None, *map(_sum, zip(*found, strict=True))


def _sum(gradients: Sequence[Tensor | None]) -> Tensor | None:
    first, *others = [gradient for gradient in gradients if gradient is not None] or [None]
    for other in others:
        first = first + other  # pyright: ignore[reportOptionalOperand] there are others only of a first one
    return first


def _on_threads(work: Callable[[int], Found], numbers: range) -> list[Found]:
    """Call a function of each number, each thread with its share of them and of torch's threads."""
    num_threads = torch.get_num_threads()
    num_workers = min(num_threads, len(numbers))

    def alone(share: range) -> list[Found]:
        torch.set_num_threads(num_threads // num_workers)  # of this thread
        with torch.enable_grad():
            return [work(number) for number in share]

    shares = [numbers[worker::num_workers] for worker in range(num_workers)]
    others = [thread_pool().submit(alone, share) for share in shares[1:]]
    try:
        found = [alone(shares[0])]
    finally:
        wait(others)
        torch.set_num_threads(num_threads)
    found += [other.result() for other in others]
    return [found[number % num_workers][number // num_workers] for number in numbers]
