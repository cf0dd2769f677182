"""Processes that tests start, forked from one server that has imported everything once, and two ranks of them."""

import multiprocessing
import os
import pickle
import socket
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import torch

from selfsent import ranks

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["selfsent.training.engine", "selfsent.losses", "tests.training.tiny_run"])
"""Whichever test of a worker forks first starts its server, so what that imports is said here, for all."""


def fork(target: Callable[..., None], *arguments: Any) -> Any:
    """Start a process; the server of all tests, which has imported everything once, forks it quickly."""
    process = _FORKS.Process(target=target, args=arguments)
    process.start()
    return process


def free_port() -> int:
    """A port that ranks can meet at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def meeting(rank: int, port: int) -> dict[str, str]:
    """The environment of one of two ranks, as ``torchrun`` sets it."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return place | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}


def _as_rank(rank: int, port: int, action: Callable[[int], Any], answers: Any) -> None:
    os.environ.update(meeting(rank, port))
    torch.set_num_threads(1)
    ranks.join_ranks(on_cpu=True)
    try:
        answers.put((rank, pickle.dumps(action(rank)), ""))
    except BaseException:
        answers.put((rank, b"", traceback.format_exc()))
        raise


def on_two_ranks(action: Callable[[int], Any], *, num_answers: int = 2) -> list[Any]:
    """Call a function in two processes that have met by gloo.

    Args:
        action: Function of the rank; it and what it returns are pickled.
        num_answers: How many of the ranks return something.

    Returns:
        What the ranks returned, in their order.
    """
    answers, port = _FORKS.Queue(), free_port()
    processes = [fork(_as_rank, rank, port, action, answers) for rank in range(2)]
    found = sorted(answers.get(timeout=240) for _ in range(num_answers))
    for process in processes:
        process.join(timeout=60)
    for rank, _, failure in found:
        if failure:
            pytest.fail(f"rank {rank}: {failure}")
    return [pickle.loads(answer) for _, answer, _ in found]
