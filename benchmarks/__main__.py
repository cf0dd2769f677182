"""``make bench``: every ratio of the package against its plain reference, in one run, into ``results/bench.json``.

    python -m benchmarks [--quick] [--threads N] [--output FILE]

Ratios are of medians of interleaved turns; above 1 we are faster. Each run is added to ``results/bench-history.jsonl``,
and what got slower since the last one on the same machine is named. ``--quick`` tries everything out on tiny sizes and
writes no file unless one is named.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numba
import torch
from benchmarks.comparisons import (
    QUICK,
    Sizes,
    draw_curves,
    time_banyan,
    time_cross_entropy,
    time_encoding,
    time_floor,
    time_step,
    time_transformer,
    time_trees,
)
from benchmarks.floors import measured_rates
from benchmarks.history import compare_with_history
from benchmarks.memory import extra_memory_mib
from benchmarks.results import Results, show
from benchmarks.tree_workload import docstring_sentences, models_of, prepared_step
from benchmarks.waits import time_waits
from rich.console import Console

from selfsent.atomic import write_text
from selfsent.compiler import num_threads
from selfsent.provenance import installed_versions


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
        "kernel_threads": num_threads(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "commit": commit.stdout.strip() or "unknown",
        "versions": installed_versions(),
    }


def measure(sizes: Sizes, console: Console) -> Results:
    """Measure everything; a line of progress for each part."""
    results = Results(machine=machine())
    begin = time.perf_counter()
    console.print("the machine's rates of products and of bytes")
    rates = measured_rates(sizes.budget_s / 2)
    batch_size, dimension = sizes.batches[-1]
    time_floor(results, 20 * batch_size, dimension, rates, sizes.budget_s)
    console.print("reading sentences of the embedded corpus")
    sentences = docstring_sentences(max(sizes.num_encoded, *sizes.curves["batch"], sizes.batches[-1][0]))
    for number, (batch_size, dimension) in enumerate(sizes.batches):
        suffix = "" if number == 0 else f"_{batch_size}"
        width = models_of(sentences, dimension=dimension, vocab_size=sizes.vocab_size)
        batch = sentences[:batch_size]
        console.print(f"trees and a training step, B={batch_size}, E={dimension}")
        time_trees(results, f"tree_finding{suffix}", width, batch, rates=rates, budget_s=sizes.budget_s)
        time_step(results, f"contrastive_step_{batch_size}", width, batch, rates=rates, budget_s=sizes.budget_s)
        memory = extra_memory_mib(prepared_step, batch, dimension, sizes.vocab_size)
        results.extra_memory_mib[f"contrastive_step_{batch_size}"] = round(memory, 1)
        if number == 0:
            console.print("encoding; a step of the recipes' size; cross-entropy")
            time_encoding(results, width, sentences, sizes, rates)
            recipe, key = sentences[: sizes.recipe_batch], f"contrastive_step_{sizes.recipe_batch}"
            time_step(results, key, width, recipe, rates=rates, budget_s=sizes.budget_s)
            time_cross_entropy(results, width, batch, sizes)
    console.print("a training step of Banyan")
    for batch_size, _ in sizes.batches:
        time_banyan(results, sentences, batch_size, sizes, rates)
    results.name_released([sizes.recipe_batch, sizes.batches[0][0]], [size for size, _ in sizes.batches])
    console.print("what a person waits for")
    time_waits(results, sentences[: sizes.num_built])
    console.print("contrastive training of a transformer")
    time_transformer(results, sentences, sizes, rates)
    draw_curves(results, sentences, sizes, rates, console)
    results.machine |= {"load_at_end": round(os.getloadavg()[0], 2), "seconds": round(time.perf_counter() - begin, 1)}
    return results


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try it out")
    parser.add_argument("--threads", type=int, help="threads of torch and of the kernels (default: their own)")
    parser.add_argument("--output", type=Path, help="where to write (default: results/bench.json)")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
        numba.set_num_threads(arguments.threads)
    console = Console(width=None if sys.stdout.isatty() else 140)
    results = measure(QUICK if arguments.quick else Sizes(), console)
    show(results, console)
    for line in compare_with_history(vars(results), None if arguments.quick else Path("results/bench-history.jsonl")):
        console.print(line, highlight=False)
    output = arguments.output or (None if arguments.quick else Path("results/bench.json"))
    if output is not None:
        write_text(output, json.dumps(vars(results), indent=2) + "\n")
        console.print(f"written to {output}")


if __name__ == "__main__":
    main()
