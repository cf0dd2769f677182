"""Several processes that train one model (ranks): what they make once, what they must agree on, and how they end."""

import contextlib
import os
from collections.abc import Callable, Generator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from selfsent.errors import UserError

_PREPARATION = timedelta(days=2)
"""How long a rank waits for the first to make the corpus; a rank that dies ends the wait at once."""

_LOST = ("connection closed by peer", "connection reset", "connection refused", "broken pipe", "nccl", "gloo")

_T = TypeVar("_T")


def num_ranks() -> int:
    """How many processes train together, as ``torchrun`` and ``accelerate launch`` say."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_rank() -> bool:
    """Whether this process is the only one, or the first."""
    return os.environ.get("RANK", "0") == "0"


def need_cpu() -> bool:
    """Whether there are several ranks and no accelerator: unless the host is told to use the CPU, each trains alone."""
    if num_ranks() == 1:
        return False
    import torch  # noqa: PLC0415 only several ranks need it

    return not torch.accelerator.is_available()


def join_ranks(*, on_cpu: bool) -> None:
    """Meet the other ranks, if there are any.

    Args:
        on_cpu: Whether the run was told to stay on the CPU.
    """
    if num_ranks() > 1:
        from accelerate import PartialState  # noqa: PLC0415 it imports torch

        PartialState(cpu=on_cpu, timeout=_PREPARATION)


def made_once(make: Callable[[], _T]) -> _T:
    """Make something on the first rank and hand it to the others; a mistake there is a mistake of all.

    Args:
        make: Makes it; called by the first rank alone. What it makes is pickled.

    Raises:
        UserError: ``make`` raised it.
    """
    dist = _together()
    if dist is None:
        return make()
    made: list[Any] = [None]
    if dist.get_rank() == 0:
        try:
            made = [make()]
        except UserError as error:
            made = [error]
    dist.broadcast_object_list(made, src=0)
    if isinstance(made[0], UserError):
        raise made[0]
    return made[0]


def wait_for_all_ranks() -> None:
    """Go on when every rank has come this far, as before the first removes what the others read."""
    if _together() is not None:
        from accelerate import PartialState  # noqa: PLC0415 it imports torch

        PartialState().wait_for_everyone()


def require_same(asked: Mapping[str, Any]) -> None:
    """Refuse to train ranks together that were asked for different things.

    Args:
        asked: What this rank was asked for, by name.

    Raises:
        UserError: Another rank was asked for something else; every rank raises it.
    """
    dist = _together()
    if dist is None:
        return
    described = {name: repr(value) for name, value in asked.items()}
    of_all: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(of_all, described)
    for rank, theirs in enumerate(of_all):
        for name in sorted(of_all[0].keys() | theirs.keys()):
            first, other = of_all[0].get(name), theirs.get(name)
            if first != other:
                raise UserError(
                    f"all ranks must be started alike: rank 0 has {name} {first}, and rank {rank} {other}; give each"
                    " the same command"
                )


@contextlib.contextmanager
def one_line_if_a_rank_is_lost() -> Generator[None]:
    """Say in one line that this rank cannot go on since another has ended.

    Raises:
        UserError: The connection to another rank was lost.
    """
    try:
        yield
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        if _together() is None or not any(words in reason.lower() for words in _LOST):
            raise
        raise UserError(
            f"another rank has ended, and this one cannot go on without it ({reason[:120]}); see what that one says,"
            " and start all of them again with --resume"
        ) from error


def _together() -> Any:
    """The ranks' means of communication; None for a process that is alone."""
    if num_ranks() == 1:
        return None
    import torch.distributed as dist  # noqa: PLC0415 only several ranks need it

    return dist if dist.is_available() and dist.is_initialized() else None
