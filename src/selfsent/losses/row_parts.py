"""Parts of a batch, each embedded by one thread, forward and backward.

torch divides every operation of a pass among its threads, and each waits for the slowest of them. A thread that embeds
some of the rows alone waits once in a pass.
"""

import contextlib
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import wait
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from selfsent.kernels.bit_dropout import own_draws
from selfsent.kernels.tensor_parts import undivided_operations
from selfsent.kernels.threaded_ranges import thread_pool

Found = TypeVar("Found")

_PARTS_BY_TOKENS = ((16_384, 8), (8_192, 4), (1_536, 2))
"""From how many tokens on a batch is divided into how many parts (measured: a part costs some 5 ms of calls, and the
addition of its gradients)."""


@dataclass(kw_only=True)
class _Step:
    """A step whose passes may be divided.

    Args:
        num_threads: torch's threads at its beginning.
        was_divided: Whether a pass was.
    """

    num_threads: int
    was_divided: bool = False


_step: ContextVar[_Step | None] = ContextVar("step with divided passes", default=None)


@contextlib.contextmanager
def divided_passes() -> Generator[None]:
    """Let passes be divided in the step of this block; dropout must be that of `selfsent.kernels.bit_dropout`."""
    step = _Step(num_threads=torch.get_num_threads())
    token = _step.set(step)
    try:
        yield
    finally:
        _step.reset(token)
        torch.set_num_threads(step.num_threads)


def leave_to_one_thread() -> None:
    """Leave the rest of a step whose pass was divided to one thread, because it is short.

    When torch has divided an operation, its threads look for another one for some milliseconds, and take the cores from
    those that embed parts.
    """
    step = _step.get()
    if step is not None and step.was_divided:
        torch.set_num_threads(1)


def num_parts(model: nn.Module, num_tokens: int) -> int:
    """Choose into how many parts to divide a batch: 1, 2, 4 or 8, whatever the number of threads.

    So the numbers that dropout draws do not depend on the machine.

    Args:
        model: What embeds them.
        num_tokens: Tokens of the batch.
    """
    if _step.get() is None or not torch.is_grad_enabled() or not all(map(_can_be_divided, model.modules())):
        return 1
    return next((parts for fewest_tokens, parts in _PARTS_BY_TOKENS if num_tokens >= fewest_tokens), 1)


def _can_be_divided(module: nn.Module) -> bool:
    """Whether dropout draws as `fast_dropout` has it draw, and nobody else counts or keeps the calls of a module."""
    is_dropout = "Dropout" in type(module).__name__
    return is_dropout == ("forward" in vars(module))


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
    num_threads = torch.get_num_threads()
    if (step := _step.get()) is not None:
        step.was_divided, num_threads = True, step.num_threads

    def drawn(number: int) -> Tensor:
        with own_draws(seeds[number]):
            return embed(parts[number])

    return list(_Parts.apply(drawn, len(parts), num_threads, *parameters))


class _Parts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, embed: Callable[[int], Tensor], count: int, num_threads: int, *parameters: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.parameters, ctx.num_threads = parameters, num_threads
        ctx.embeddings = _on_threads(embed, range(count), num_threads)
        return tuple(rows.detach() for rows in ctx.embeddings)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride] its decorator hides the names
        def of_part(number: int) -> tuple[Tensor | None, ...]:
            rows = ctx.embeddings[number]
            return torch.autograd.grad(rows, ctx.parameters, gradients[number], allow_unused=True)

        found = _on_threads(of_part, range(len(gradients)), ctx.num_threads)
        with undivided_operations():  # to divide an addition takes longer than the addition
            return None, None, None, *map(_sum, zip(*found, strict=True))


def _sum(gradients: Sequence[Tensor | None]) -> Tensor | None:
    total: Tensor | None = None
    for gradient in gradients:
        if gradient is not None:
            total = gradient if total is None else total + gradient
    return total


def _on_threads(work: Callable[[int], Found], numbers: range, num_threads: int) -> list[Found]:
    """Call a function of each number, each thread with its share of them and of torch's threads."""
    before = torch.get_num_threads()
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
        torch.set_num_threads(before)
    found += [other.result() for other in others]
    return [found[number % num_workers][number // num_workers] for number in numbers]
