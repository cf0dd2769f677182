"""The history of ``make bench``: one line for each run, and a comparison of a new run with the last one."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_SLOWER = 0.9
"""A ratio below this share of the last one is reported as slower; runs on a busy machine differ by less than that."""


def entry_of(results: Mapping[str, Any]) -> dict[str, Any]:
    """Choose the figures of a run that the history keeps: machine, ratios and waits."""
    machine = {key: results["machine"].get(key) for key in ("commit", "cpu", "cores", "threads", "load_at_start")}
    waits = {name: wait["seconds"] for name, wait in results["waits"].items()}
    return {**machine, "ratios": results["ratios"], "waits": waits}


def compare_with_history(results: Mapping[str, Any], path: Path | None) -> Iterator[str]:
    """Compare a run with the last one on the same kind of machine, say what got slower, and add it to the history.

    Args:
        results: The content of ``bench.json``.
        path: File of the history, a line of JSON for each run; ``None``: nothing is compared and nothing is written.
    """
    if path is None:
        return
    entry = entry_of(results)
    lines = path.read_text("utf8").splitlines() if path.exists() else []
    last = next((old for old in map(json.loads, reversed(lines)) if _is_alike(old, entry)), None)
    with path.open("a", encoding="utf8") as history:
        history.write(json.dumps(entry) + "\n")
    if last is None:
        yield f"no earlier run on this machine with {entry['threads']} threads in {path}"
        return
    slower = list(_slower(last, entry))
    yield f"since {last['commit']}: " + ("; ".join(slower) if slower else "nothing got slower by more than a tenth")


def _is_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("cpu", "cores", "threads"))


def _slower(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name, ratio in now["ratios"].items():
        if ratio < _SLOWER * before["ratios"].get(name, 0.0):
            yield f"{name} {before['ratios'][name]:.2f} -> {ratio:.2f}"
    for name, seconds in now["waits"].items():
        if _SLOWER * seconds > before["waits"].get(name, float("inf")):
            yield f"{name} {before['waits'][name]:.2f} s -> {seconds:.2f} s"
