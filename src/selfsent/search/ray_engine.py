"""Ray Data as an engine: tasks read blocks, and actors that hold an open model work on them, on one machine or many.

Blocks and what becomes of them are Python objects, pickled into the one column of a data set, so the functions that
read, cut and encode are those of the local engine. Ray sees to back-pressure, and repeats the block of a worker that
died.
"""

import importlib
import importlib.metadata
import logging
import os
import pickle
import re
import socket
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from selfsent.errors import UserError, not_one_of
from selfsent.loading import open_to_encode

EngineName = Literal["local", "ray"]
ENGINES: tuple[EngineName, ...] = ("local", "ray")

Reader = Callable[[], Iterable[Any]]
"""Yields the blocks of a part of a source."""

Worker = Callable[[Any], Any]
"""Makes a block into what the caller wants to know of it."""

_OLDEST = {"ray": (2, 51), "lance-ray": (0, 5)}
_TIMEOUT_S = 5.0
_BLOCK_BYTES = 1 << 18  # a block of ours goes to a worker of its own, not with many others as Ray would have it
_LEAD_BYTES = 1 << 27  # a core; without a bound readers run ahead of the workers until a third of all memory is full
_ROWS_A_READER = 1


class RayEngine:
    """Where work is done: a Ray that is started here, or a cluster.

    Args:
        address: ``HOST:PORT`` of a cluster that this machine belongs to, or ``auto``; None starts Ray on this machine.
        device: Where actors put the model: ``cpu``, or ``cuda`` for one GPU each; None for the CPU.

    Raises:
        UserError: Ray is not installed or too old, the address is none, or nobody answers there.
    """

    def __init__(self, address: str | None = None, device: str | None = None) -> None:
        self.device = device or "cpu"
        self._ray = _started(address)

    @property
    def num_cpus(self) -> int:
        """Cores of all machines."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def map(
        self, make_worker: Callable[[Any], Worker], model_path: str | Path, readers: Sequence[Reader]
    ) -> Iterator[Any]:
        """Read blocks, let workers work on them, and yield the results in the order of the blocks.

        Args:
            make_worker: Makes a worker of the open model, once in each actor's process; pickled.
            model_path: Where actors open the model from: a folder that all machines see, or a name on the hub.
            readers: One task each; pickled.

        Raises:
            UserError: A reader or a worker raised it, or Ray lost more workers than it can replace.
        """
        gpus = 1 if self.device.startswith("cuda") else 0
        make = partial(_worker_of_model, make_worker, model_path, self.device)
        actors = importlib.import_module("ray.data").ActorPoolStrategy(min_size=1, max_size=self.num_cpus)
        return self._done(make, readers, compute=actors, num_gpus=gpus)

    def apply(self, worker: Worker, readers: Sequence[Reader]) -> Iterator[Any]:
        """Read blocks, let a function work on them, and yield the results in the order of the blocks.

        Args:
            worker: The function; pickled once, and its arrays are shared by the processes of a machine.
            readers: One task each; pickled.

        Raises:
            UserError: A reader or the function raised it, or Ray lost more workers than it can replace.
        """
        return self._done(partial(_itself, worker), readers)

    def _done(self, make_worker: Callable[[], Worker], readers: Sequence[Reader], **actors: Any) -> Iterator[Any]:
        """Let tasks read, and actors work, or tasks where no actors are asked for."""
        ray = self._ray
        data = importlib.import_module("ray.data")
        context = data.DataContext.get_current().copy()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.target_max_block_size = _BLOCK_BYTES
        lead = data.ExecutionResources.for_limits(object_store_memory=_LEAD_BYTES * self.num_cpus)
        context.execution_options.resource_limits = lead
        held = ray.put(_Job(Path.cwd(), make_worker, list(readers)))  # for as long as actors may be started anew
        with data.DataContext.current(context):
            numbers = [{"part": number} for number in range(len(readers))]
            blocks = data.from_items(numbers, override_num_blocks=len(readers)).map_batches(
                _Reading([held]),
                batch_size=_ROWS_A_READER,
                num_cpus=0,
                compute=data.TaskPoolStrategy(self._num_readers),
            )
            working = {"fn": _Working, "fn_constructor_args": ([held],)} if actors else {"fn": _Working([held])}
            results = blocks.map_batches(**working, batch_size=1, num_cpus=1, **actors)
            try:
                for batch in results.iter_batches(batch_size=None, prefetch_batches=0):
                    yield from map(_unpacked, batch["result"])
            except ray.exceptions.RayError as error:
                raise UserError(f"Ray gave up: {_first_line(error)}; nothing was committed, run it again") from error

    @property
    def _num_readers(self) -> int:
        return max(1, self.num_cpus // 4)


@dataclass(frozen=True)
class _Job:
    """What the processes of a job have to know."""

    folder: Path
    make_worker: Callable[[], Worker]
    readers: list[Reader]

    def blocks(self, part: int) -> Iterator[Any]:
        _enter(self.folder)
        yield from self.readers[part]()

    def worker(self) -> Worker:
        _enter(self.folder)
        return self.make_worker()


def _worker_of_model(make_worker: Callable[[Any], Worker], model_path: str | Path, device: str) -> Worker:
    return make_worker(open_to_encode(model_path, device=device))


def _itself(worker: Worker) -> Worker:
    return worker


class _Reading:
    """Reads the parts that a batch names; runs in a task."""

    def __init__(self, held: list[Any]) -> None:
        self._held = held

    def __call__(self, batch: Mapping[str, Any]) -> Iterator[dict[str, list[bytes]]]:
        job = _taken(self._held)
        for part in batch["part"]:
            try:
                for block in job.blocks(int(part)):
                    yield {"block": [pickle.dumps(block)]}
            except UserError as error:
                yield {"block": [pickle.dumps(_Failed(str(error)))]}


class _Working:
    """Works on blocks, in an actor or in a task."""

    def __init__(self, held: list[Any]) -> None:
        self._held = held
        self._worker: Worker | None = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[bytes]]:
        return {"result": [pickle.dumps(self._result(pickle.loads(block))) for block in batch["block"]]}  # noqa: S301 our own

    def _result(self, block: Any) -> Any:
        if isinstance(block, _Failed):
            return block
        try:
            self._worker = self._worker or _taken(self._held).worker()
            return self._worker(block)
        except UserError as error:
            return _Failed(str(error))


class _Failed:
    """A user's mistake that a process met, to be told by the one that the user started."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _unpacked(result: bytes) -> Any:
    unpacked = pickle.loads(result)  # noqa: S301 our own
    if isinstance(unpacked, _Failed):
        raise UserError(unpacked.reason)
    return unpacked


def _taken(held: list[Any]) -> _Job:
    return importlib.import_module("ray").get(held[0])


def _enter(folder: Path) -> None:
    """Go where the user is, so that relative names mean the same; on another machine the folder must be shared."""
    try:
        os.chdir(folder)
    except OSError as error:
        raise UserError(
            f"the folder {folder} must be there on every machine of the cluster: {error.strerror}"
        ) from error


def engine_of(name: EngineName, address: str | None = None, device: str | None = None) -> RayEngine | None:
    """Choose an engine by name; None is the local one.

    Raises:
        UserError: There is none of this name, an address is given for the local one, or what ``RayEngine`` raises.
    """
    if name not in ENGINES:
        raise UserError(not_one_of("engine", name, ENGINES))
    if name == "ray":
        return RayEngine(address, device)
    if address is not None:
        raise UserError(f"--address {address} is for --engine ray; add it, or leave the address out")
    return None


def _started(address: str | None) -> Any:
    """Ray, started or connected."""
    ray = _required()
    if address is not None:
        _require_answer(address)
    if ray.is_initialized():
        return ray
    try:
        ray.init(
            address=address or "local",
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        # The last one where the cluster wants a token and there is none.
        where = (
            f"connect to Ray at {address} (is its token in RAY_AUTH_TOKEN?)" if address else "start Ray on this machine"
        )
        raise UserError(f"cannot {where}: {_first_line(error)}; `--engine local` needs no Ray") from error
    for name in ("ray.data", "ray._private"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return ray


def _required() -> Any:
    install = "`pip install 'selfsent[ray]'`"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # says nothing of its users to anybody
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what goes wrong is raised as an exception too
    try:
        for name, oldest in _OLDEST.items():
            version = importlib.metadata.version(name)
            if tuple(map(int, re.findall(r"\d+", version)[:2])) < oldest:
                raise UserError(
                    f"--engine ray needs {name} {'.'.join(map(str, oldest))} or later, got {version}: {install}"
                )
        warnings.filterwarnings("ignore", message="lance is not fork-safe")  # nothing here forks
        importlib.import_module("lance_ray")
        return importlib.import_module("ray")
    except ImportError as error:  # PackageNotFoundError is one
        raise UserError(f"--engine ray needs ray and lance-ray: {install}") from error


def _require_answer(address: str) -> None:
    """Ray itself waits for minutes where nobody answers."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        raise UserError(f"--address must be auto or HOST:PORT of a Ray cluster, got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"nobody answers at {address} ({error}); start Ray there (`ray start --head`), or leave --address out to"
            " use this machine alone"
        ) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
