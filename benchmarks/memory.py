"""How much memory a piece of work needs beyond what stood before it: the peak of a process of its own."""

import multiprocessing
import platform
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
_MIB = 1 << 20


def _status_mib(field: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024


def _peak_mib() -> float:
    if _STATUS.exists():
        return _status_mib("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MIB if platform.system() == "Darwin" else peak / 1024


def _measured(prepare: Callable[..., Callable[[], Any]], arguments: tuple[Any, ...], results: Any) -> None:
    work = prepare(*arguments)
    before = _status_mib("VmRSS") if _STATUS.exists() else _peak_mib()
    if _RESET.exists():
        _RESET.write_text("5")  # forget the peak so far
    work()
    results.put(_peak_mib() - before)


def extra_memory_mib(prepare: Callable[..., Callable[[], Any]], *arguments: Any) -> float:
    """Measure, in a fresh process, the peak of ``prepare(*arguments)()`` above what ``prepare`` left behind.

    Args:
        prepare: A function of a module; does all that should not count, compilation included, and returns the work.
        arguments: What to call it with; they are pickled.
    """
    context = multiprocessing.get_context("spawn")
    results: Any = context.SimpleQueue()
    process = context.Process(target=_measured, args=(prepare, arguments, results))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"the memory measurement ended with code {process.exitcode}")
    return float(results.get())


def available_gib() -> float:
    """Memory that can be had without swapping; 8 where the system does not say."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return 8.0
    line = next(line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) / (1 << 20)
