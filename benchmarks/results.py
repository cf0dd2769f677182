"""What ``make bench`` found: ratios, memory, floors and curves, as JSON and as tables for a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.floors import Floor
from benchmarks.interleaved import Timing
from rich.console import Console
from rich.table import Table


@dataclass
class Results:
    """What ``bench.json`` holds."""

    ratios: dict[str, float] = field(default_factory=dict)
    measurements: dict[str, dict[str, Any]] = field(default_factory=dict)
    extra_memory_mib: dict[str, float] = field(default_factory=dict)
    floor: dict[str, float] = field(default_factory=dict)
    waits: dict[str, dict[str, Any]] = field(default_factory=dict)
    curves: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)

    def add(
        self,
        name: str,
        timing: Timing,
        *,
        note: str,
        floor: Floor | None = None,
        ours: str = "ours",
        other: str = "reference",
    ) -> None:
        """Take in one comparison; ``floor`` is what the machine's measured rates allow at best."""
        self.ratios[name] = round(timing.ratio(other, ours), 3)
        low, high = timing.spread(other, ours)
        self.measurements[name] = {
            "seconds": timing.median(ours),
            f"{other}_seconds": timing.median(other),
            "turns": len(timing.seconds[ours]),
            "ratio_range": [round(low, 3), round(high, 3)],
            "note": note,
        }
        if floor is not None:
            self.measurements[name] |= {"floor_seconds": floor.seconds, "binds": floor.binds}

    def name_released(self, contrastive: Sequence[int], banyan: Sequence[int]) -> None:
        """Give ratios to the released algorithm, batched in plain torch, the names that say so.

        Args:
            contrastive: Batch sizes of contrastive steps.
            banyan: Batch sizes of Banyan's steps.
        """
        for kind, sizes in {"contrastive_step": contrastive, "banyan_step": banyan}.items():
            for size in sizes:
                self.ratios[f"{kind}_{size}_vs_released"] = self.ratios[f"{kind}_{size}"]
                self.measurements[f"{kind}_{size}_vs_released"] = self.measurements[f"{kind}_{size}"]

    def time(self, name: str, seconds: float, *, note: str) -> None:
        """Take in how long a person waits for something; there is nothing to compare it with but earlier runs."""
        self.waits[name] = {"seconds": round(seconds, 3), "note": note}


def show(results: Results, console: Console) -> None:
    """Print the table of ratios and the table of curves."""
    console.print(_ratios(results), highlight=False)
    for name, wait in results.waits.items():
        console.print(f"{name}: {wait['seconds']:.2f} s of processor time ({wait['note']})", highlight=False)
    console.print(_curves(results), highlight=False)


def _ratios(results: Results) -> Table:
    floor = results.floor
    memory = ", ".join(f"{name} {mib:,.0f} MiB" for name, mib in results.extra_memory_mib.items())
    caption = (
        f"Medians of interleaved turns; above 1 we are faster. Floor: products and bytes at the machine's own rates,"
        f" {floor['matrix_product_gflops']} GFLOP/s and {floor['bandwidth_gb_s']} GB/s. Extra memory: {memory}.\n"
        f"Tiled loss: {floor['tiled_loss_gflops']} of {floor['matrix_product_gflops']} GFLOP/s of matrix products "
        f"({100 * floor['tiled_loss_share']:.0f}%). Load of the machine: {results.machine['load_at_start']} to "
        f"{results.machine['load_at_end']} on {results.machine['cores']} cores."
    )
    table = Table(caption=caption, caption_justify="left")
    table.add_column("comparison", no_wrap=True)
    for heading in ("ratio", "range", "ours, ms", "floor, ms", "floors", "other, ms", "turns"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("binds", no_wrap=True)
    table.add_column("what")
    for name, ratio in results.ratios.items():
        entry = results.measurements[name]
        reference = next(value for key, value in entry.items() if key.endswith("_seconds") and key != "floor_seconds")
        low, high = entry["ratio_range"]
        ours, floor_s = entry["seconds"], entry.get("floor_seconds")
        floors = ("", "") if floor_s is None else (f"{1000 * floor_s:,.1f}", f"{ours / floor_s:.2f}")
        row = [f"{ratio:.2f}", f"{low:.2f} to {high:.2f}", f"{1000 * ours:,.1f}", *floors, f"{1000 * reference:,.1f}"]
        table.add_row(name, *row, str(entry["turns"]), entry.get("binds", ""), entry["note"])
    return table


def _curves(results: Results) -> Table:
    table = Table(title="What it costs, by size", title_justify="left")
    table.add_column("curve", no_wrap=True)
    for heading in ("size", "ms", "floor, ms", "tokens/s", "extra MiB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, points in results.curves.items():
        for number, point in enumerate(points):
            extra = point.get("extra_memory_mib")
            table.add_row(
                name if number == 0 else "",
                f"{point['size']:,}",
                f"{1000 * point['seconds']:,.1f}",
                f"{1000 * point['floor_seconds']:,.2f}",
                f"{point['tokens_per_second']:,.0f}",
                "" if extra is None else f"{extra:,.0f}",
                end_section=number == len(points) - 1,
            )
    return table
