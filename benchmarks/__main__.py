"""``make bench``: every ratio of the package against its plain reference, in one run, into ``results/bench.json``.

    python -m benchmarks [--quick] [--threads N] [--output FILE]

Ratios are of medians of interleaved turns; above 1 we are faster. ``--quick`` tries everything out on tiny sizes and
writes no file unless one is named.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from benchmarks.interleaved import Timing, take_turns
from benchmarks.memory import available_gib, extra_memory_mib
from benchmarks.transformer_workload import host_training, our_training, small_transformer
from benchmarks.tree_workload import (
    ContrastiveStep,
    Width,
    docstring_sentences,
    encode_by_reference,
    find_trees,
    find_trees_by_reference,
    leaves_of,
    models_of,
    prepared_step,
)
from rich.console import Console
from rich.table import Table

from selfsent.atomic import write_text
from selfsent.evaluation.report import installed_versions
from selfsent.kernels.contrastive import tiled_symmetric_info_nce

MAX_REFERENCE_GIB = 16.0


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much work is timed.

    Args:
        batches: Sentences a batch and width of the embedding, small and large.
        num_encoded: Sentences encoded by us and by the host's static embeddings.
        num_encoded_by_reference: Sentences encoded by the reference.
        vocab_size: Pieces of the vocabulary.
        num_steps: Training steps of a transformer, of 64 sentences each.
        budget_s: Seconds to spend on turns of one comparison.
    """

    batches: tuple[tuple[int, int], tuple[int, int]] = ((128, 100), (512, 256))
    num_encoded: int = 20_000
    num_encoded_by_reference: int = 512
    vocab_size: int = 25_000
    num_steps: int = 20
    budget_s: float = 20.0


QUICK = Sizes(
    batches=((8, 20), (16, 20)),
    num_encoded=200,
    num_encoded_by_reference=64,
    vocab_size=500,
    num_steps=1,
    budget_s=0.5,
)


@dataclass
class Results:
    """What ``bench.json`` holds."""

    ratios: dict[str, float] = field(default_factory=dict)
    measurements: dict[str, dict[str, Any]] = field(default_factory=dict)
    extra_memory_mib: dict[str, float] = field(default_factory=dict)
    floor: dict[str, float] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, timing: Timing, *, note: str, ours: str = "ours", other: str = "reference") -> None:
        """Take in one comparison."""
        self.ratios[name] = round(timing.ratio(other, ours), 3)
        low, high = timing.spread(other, ours)
        self.measurements[name] = {
            "seconds": timing.median(ours),
            f"{other}_seconds": timing.median(other),
            "turns": len(timing.seconds[ours]),
            "ratio_range": [round(low, 3), round(high, 3)],
            "note": note,
        }


def time_trees(results: Results, name: str, width: Width, sentences: list[str], budget_s: float) -> None:
    """Compare tree finding with the reference."""
    leaves = leaves_of(width.encoder, sentences)
    timing = take_turns(
        {
            "ours": lambda: find_trees(width.encoder, leaves),
            "reference": lambda: find_trees_by_reference(width.encoder, leaves),
        },
        budget_s=budget_s,
    )
    dimension, num_tokens = leaves.values.shape[1], int(leaves.num_tokens.sum())
    results.add(name, timing, note=f"B={len(sentences)}, E={dimension}, {num_tokens} tokens; no gradients")
    results.measurements[name]["tokens_per_second"] = num_tokens / timing.median("ours")


def fitting_batch(width: Width, sentences: list[str]) -> list[str]:
    """Halve a batch until the reference's similarity matrices fit: about six of nodes x nodes float32."""
    budget = min(MAX_REFERENCE_GIB, 0.7 * available_gib()) * (1 << 30)
    while len(sentences) > 1:
        num_nodes = 2 * int(leaves_of(width.encoder, sentences).num_tokens.sum())
        if 6 * 4 * num_nodes**2 <= budget:
            break
        sentences = sentences[: len(sentences) // 2]
    return sentences


def time_step(results: Results, name: str, width: Width, sentences: list[str], budget_s: float) -> None:
    """Compare a whole contrastive step with the reference, on as much of the batch as the reference can hold."""
    fitting = fitting_batch(width, sentences)
    step = ContrastiveStep(width, fitting)
    reference = ContrastiveStep(width, fitting, reference_of=step)
    ours, theirs = step.without_dropout(), reference.without_dropout()
    if not math.isclose(ours, theirs, rel_tol=1e-4):
        raise AssertionError(f"the loss is {ours} by our path and {theirs} by the reference")
    timing = take_turns({"ours": step, "reference": reference}, budget_s=budget_s)
    num_tokens = int(leaves_of(width.encoder, fitting).num_tokens.sum())
    smaller = "" if len(fitting) == len(sentences) else f", both on {len(fitting)} as the reference needs the memory"
    dimension = width.encoder.get_embedding_dimension()
    results.add(name, timing, note=f"B={len(sentences)}{smaller}, E={dimension}, {num_tokens} tokens")
    results.measurements[name]["tokens_per_second"] = num_tokens / timing.median("ours")
    if smaller:
        whole = take_turns({"ours": ContrastiveStep(width, sentences)}, budget_s=budget_s)
        num_tokens = int(leaves_of(width.encoder, sentences).num_tokens.sum())
        results.measurements[name]["whole_batch_tokens_per_second"] = num_tokens / whole.median("ours")


def time_encoding(results: Results, width: Width, sentences: list[str], sizes: Sizes) -> None:
    """Compare encoding with the reference, and with the host's static embeddings over the same tokenizer."""
    few = sentences[: sizes.num_encoded_by_reference]
    timing = take_turns(
        {
            "ours": lambda: width.model.encode(few, batch_size=64),
            "reference": lambda: encode_by_reference(width.encoder, few, batch_size=64),
        },
        budget_s=sizes.budget_s,
    )
    results.add("encode_vs_reference", timing, note=f"{len(few)} sentences, batches of 64")
    many = sentences[: sizes.num_encoded]
    timing = take_turns(
        {
            "ours": lambda: width.model.encode(many, batch_size=1024),
            "static": lambda: width.static.encode(many, batch_size=1024),
        },
        budget_s=sizes.budget_s,
    )
    results.add(
        "encode_vs_static", timing, note=f"{len(many)} sentences, batches of 1,024, same tokenizer", other="static"
    )
    results.measurements["encode_vs_static"]["sentences_per_second"] = len(many) / timing.median("ours")


def time_transformer(results: Results, sentences: list[str], sizes: Sizes) -> None:
    """Compare unsupervised contrastive training of a small transformer with the host's trainer and loss."""
    batch_size = 64
    sentences = sentences[: batch_size * sizes.num_steps]
    with TemporaryDirectory() as folder:
        base = small_transformer(sentences, Path(folder), vocab_size=sizes.vocab_size)
        candidates = {
            "ours": our_training(base, sentences, batch_size=batch_size),
            "host": host_training(base, sentences, batch_size=batch_size),
        }
    timing = take_turns(candidates, budget_s=3 * sizes.budget_s)
    note = f"{len(sentences) // batch_size} steps of {batch_size} sentences, 2 layers of 128, at most 32 tokens"
    results.add("simcse_vs_host", timing, note=note, other="host")
    results.measurements["simcse_vs_host"]["sentences_per_second"] = len(sentences) / timing.median("ours")


def time_floor(results: Results, num_nodes: int, dimension: int, budget_s: float) -> None:
    """Compare the rate of the tiled loss with the rate of matrix products on this machine."""
    torch.manual_seed(0)
    square = torch.randn(1024, 1024)
    rows, columns = (torch.nn.functional.normalize(torch.randn(num_nodes, dimension), dim=1) for _ in range(2))
    rows.requires_grad_()
    columns.requires_grad_()

    def loss() -> None:
        tiled_symmetric_info_nce(rows, columns, temperature=0.8187).backward()

    timing = take_turns({"loss": loss, "product": lambda: square @ square}, budget_s=budget_s, max_turns=15)
    rate = 2 * 1024**3 / timing.median("product")
    achieved = 8 * num_nodes**2 * dimension / timing.median("loss")
    results.floor |= {
        "matrix_product_gflops": round(rate / 1e9, 2),
        "tiled_loss_gflops": round(achieved / 1e9, 2),
        "tiled_loss_share": round(achieved / rate, 3),
        "tiled_loss_nodes": num_nodes,
        "tiled_loss_dimension": dimension,
    }


def machine() -> dict[str, Any]:
    """Describe what the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "commit": commit.stdout.strip() or "unknown",
        "versions": installed_versions(),
    }


def measure(sizes: Sizes, console: Console) -> Results:
    """Measure everything; a line of progress for each part."""
    results = Results(machine=machine())
    begin = time.perf_counter()
    console.print("reading sentences of the embedded corpus")
    sentences = docstring_sentences(max(sizes.num_encoded, sizes.batches[-1][0]))
    for number, (batch_size, dimension) in enumerate(sizes.batches):
        suffix = "" if number == 0 else f"_{batch_size}"
        width = models_of(sentences, dimension=dimension, vocab_size=sizes.vocab_size)
        batch = sentences[:batch_size]
        console.print(f"trees and a training step, B={batch_size}, E={dimension}")
        time_trees(results, f"tree_finding{suffix}", width, batch, sizes.budget_s)
        time_step(results, f"contrastive_step_{batch_size}", width, batch, sizes.budget_s)
        memory = extra_memory_mib(prepared_step, batch, dimension, sizes.vocab_size)
        results.extra_memory_mib[f"contrastive_step_{batch_size}"] = round(memory, 1)
        if number == 0:
            console.print("encoding")
            time_encoding(results, width, sentences, sizes)
    console.print("contrastive training of a transformer")
    time_transformer(results, sentences, sizes)
    console.print("the floor: matrix products")
    batch_size, dimension = sizes.batches[-1]
    time_floor(results, 20 * batch_size, dimension, sizes.budget_s)
    results.machine |= {"load_at_end": round(os.getloadavg()[0], 2), "seconds": round(time.perf_counter() - begin, 1)}
    return results


def rendered(results: Results) -> Table:
    """Lay the results out for a terminal."""
    floor = results.floor
    memory = ", ".join(f"{name} {mib:,.0f} MiB" for name, mib in results.extra_memory_mib.items())
    caption = (
        f"Medians of interleaved turns; above 1 we are faster. Extra memory: {memory}.\n"
        f"Tiled loss: {floor['tiled_loss_gflops']} of {floor['matrix_product_gflops']} GFLOP/s of matrix products "
        f"({100 * floor['tiled_loss_share']:.0f}%). Load of the machine: {results.machine['load_at_start']} to "
        f"{results.machine['load_at_end']} on {results.machine['cores']} cores."
    )
    table = Table(caption=caption, caption_justify="left")
    table.add_column("comparison", no_wrap=True)
    for heading in ("ratio", "range", "ours, ms", "other, ms", "turns"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("what")
    for name, ratio in results.ratios.items():
        entry = results.measurements[name]
        other = next(value for key, value in entry.items() if key.endswith("_seconds"))
        low, high = entry["ratio_range"]
        milliseconds = [f"{1000 * value:,.1f}" for value in (entry["seconds"], other)]
        table.add_row(
            name, f"{ratio:.2f}", f"{low:.2f} to {high:.2f}", *milliseconds, str(entry["turns"]), entry["note"]
        )
    return table


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try it out")
    parser.add_argument("--threads", type=int, help="threads of torch (default: torch's)")
    parser.add_argument("--output", type=Path, help="where to write (default: results/bench.json)")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    console = Console(width=None if sys.stdout.isatty() else 140)
    results = measure(QUICK if arguments.quick else Sizes(), console)
    console.print(rendered(results), highlight=False)
    output = arguments.output or (None if arguments.quick else Path("results/bench.json"))
    if output is not None:
        write_text(output, json.dumps(vars(results), indent=2) + "\n")
        console.print(f"written to {output}")


if __name__ == "__main__":
    main()
