"""Data sets of the Hugging Face hub, streamed record by record."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import datasets
import pyarrow as pa
from datasets import config as datasets_config
from datasets.exceptions import DatasetsError

from selfsent.data.formats import NumberedRecords, rows_of
from selfsent.data.source_files import expanded
from selfsent.errors import UserError

# Not the one of a slice, as in train[:100].
_COLON = re.compile(r":(?![^\[]*\])")
_ROWS_A_BATCH = 1000
_SPLIT_NAMES = frozenset({"train", "validation", "valid", "dev", "test", "unsupervised", "all"})

HubDataset = datasets.IterableDataset | datasets.Dataset


def parse_hub_spec(spec: str) -> tuple[str, str | None, str]:
    """Take ``hf:NAME[:config][:split]`` apart.

    Args:
        spec: The whole name. One part behind the name is a split where it is called like one, else a configuration.

    Returns:
        Name, configuration (``None`` for the only one) and split (default ``train``).

    Raises:
        UserError: There is no name, or there are too many parts.
    """
    name, *rest = _COLON.split(spec.removeprefix("hf:"))
    if not name or len(rest) > 2:  # noqa: PLR2004 a configuration and a split
        raise UserError(f"a data set of the hub must be hf:NAME[:config][:split], such as hf:ag_news:test, got {spec}")
    if len(rest) == 1 and rest[0].partition("[")[0] in _SPLIT_NAMES:
        rest = ["", rest[0]]
    config, split = [*rest, "", ""][:2]
    return name, config or None, split or "train"


def hub_records(spec: str) -> Callable[[Sequence[str] | None], NumberedRecords]:
    """Open a data set of the hub, or a local folder that holds one.

    Args:
        spec: ``hf:NAME[:config][:split]``.

    Returns:
        What begins a pass over pairs of 1-based row number and record; it takes the names of the only columns that are
        needed, ``None`` for all.

    Raises:
        UserError: The data set, its configuration or split does not exist, or cannot be reached.
    """
    name, config, split = parse_hub_spec(spec)
    dataset = _load(spec, str(expanded(name)) if name.startswith("~") else name, config, split)

    return lambda columns: _records(dataset, columns, spec)


def _records(dataset: HubDataset, columns: Sequence[str] | None, spec: str) -> NumberedRecords:
    number = 0
    batches = dataset.with_format("arrow").iter(batch_size=_ROWS_A_BATCH)
    while True:
        try:
            batch = next(batches, None)
        except (OSError, ValueError, RuntimeError, OverflowError, LookupError, DatasetsError) as error:
            raise UserError(f"cannot read {spec} after row {number}: {_reason(error)}") from error
        if batch is None:
            return
        table = cast("pa.Table", batch)
        for record in rows_of(table.select(columns) if columns and set(columns) <= set(table.column_names) else table):
            number += 1
            yield number, _without_nesting(record)


def _load(spec: str, name: str, configuration: str | None, split: str) -> HubDataset:
    """Open for streaming; where the hub cannot be reached, from the local cache of an earlier download."""
    problem: Exception | None = None
    for streaming in (True, False) if datasets_config.HF_HUB_OFFLINE else (True,):
        try:
            return datasets.load_dataset(name, configuration, split=split, streaming=streaming)
        except (OSError, ValueError, RuntimeError, ImportError, DatasetsError) as error:
            problem = problem or error
    assert problem is not None, "a pass of the loop returns or leaves a problem"  # noqa: S101 our own invariant
    hint = (
        "the hub is switched off (HF_HUB_OFFLINE)"
        if datasets_config.HF_HUB_OFFLINE
        else "check the name, the configuration, the split and the connection"
    )
    raise UserError(f"cannot open {spec} (split {split}): {_reason(problem)}; {hint}") from problem


def _without_nesting(record: Mapping[str, Any]) -> dict[str, Any]:
    """Lift the languages of the hub's usual ``{"translation": {"en": ..., "de": ...}}`` to columns."""
    return dict(_flat_items(record))


def _flat_items(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if name == "translation" and isinstance(value, Mapping):
            yield from value.items()
        else:
            yield name, value


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
