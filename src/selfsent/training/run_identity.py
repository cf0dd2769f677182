"""What makes two runs the same run, and in what they differ."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

_NOT_IDENTITY = {
    "disable_tqdm",
    "dataloader_num_workers",
    "dataloader_pin_memory",
    "report_to",
    "save_total_limit",
    "use_cpu",
}


def identity(
    recipe: Mapping[str, Any], arguments: Mapping[str, Any], seed: int, data_hashes: Mapping[str, str]
) -> dict[str, Any]:
    """What must be equal for a run to be continued: recipe, training arguments, seed, data; as JSON keeps it."""
    kept = {name: value for name, value in arguments.items() if name not in _NOT_IDENTITY}
    whole = {"recipe": recipe, "arguments": kept, "seed": seed, "data_hashes": data_hashes}
    return json.loads(json.dumps(whole, default=str))


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Name the settings two runs differ in, as ``key: old -> new``; nested keys are joined by dots."""
    old_flat, new_flat = dict(_flat(old)), dict(_flat(new))
    keys = sorted(old_flat.keys() | new_flat.keys())
    absent = "(absent)"
    return [
        f"{key}: {old_flat.get(key, absent)} -> {new_flat.get(key, absent)}"
        for key in keys
        if old_flat.get(key, absent) != new_flat.get(key, absent)
    ]


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
