"""Where a run came from: the versions, the commit and the machine that produced it."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_VERSIONED = ("selfsent", "torch", "transformers", "sentence-transformers", "datasets", "tokenizers", "numpy")
_GIT_TIMEOUT_S = 10


def installed_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a result depends on."""
    return {"python": platform.python_version()} | {package: package_version(package) for package in _VERSIONED}


def package_version(name: str) -> str:
    """The installed version of a distribution; ``unknown`` where it is run without being installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_TIMEOUT_S, check=False)  # noqa: S603 a fixed command
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def commit() -> str | None:
    """Name the git commit this package runs from, with ``-dirty`` behind it where files were changed since.

    Returns:
        ``None`` outside a checkout, also for a package installed within somebody else's repository.
    """
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def machine() -> dict[str, str | int | list[str]]:
    """Describe the machine: processor, cores this process may use, threads of torch, accelerators, system."""
    import torch  # noqa: PLC0415 who asks for versions only need not wait for it

    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "cpu": _cpu_model(),
        "num_cores": num_cores,
        "num_threads": torch.get_num_threads(),
        "accelerators": devices,
        "system": platform.platform(),
    }


def provenance() -> dict[str, object]:
    """Everything above in one JSON-ready mapping: ``versions``, ``commit``, ``machine``."""
    return {"versions": installed_versions(), "commit": commit(), "machine": machine()}
