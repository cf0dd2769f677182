"""Measure tokens per second of training steps and of encoding, on one and two threads, for our code and the authors'.

    python -m benchmarks.released_code [--source FILE] [--threads 1 2] [--peer "PYTHON ADAPTER CHECKOUT"]

Our code is timed in one process for each number of threads. A step is all that the trainer does: strings to tokens,
trees, loss, gradients, clipping and fused Adam, over a vocabulary of 25,000. The table shows the median step by the
clock and, beside it, by processor time, which changes less on a busy machine. A second one has the parts of each step.

The authors' code needs an environment of its own, so ``--peer`` names a command that times it. The command is called
with ``KIND BATCH DIMENSION VOCABULARY THREADS SENTENCES.txt``, where KIND is ``contrastive`` or ``banyan``. The last
line that it prints must be the seconds of one step. Without a command, or where it fails, those columns stay empty.
"""

import argparse
import itertools
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from benchmarks.banyan_workload import BanyanStep, banyan_models
from benchmarks.tree_workload import PARTS, ContrastiveStep, CrossEntropyStep, TrainingStep, leaves_of, models_of
from rich.console import Console
from rich.table import Table

from selfsent.data.sources import open_source

VOCABULARY, NUM_SENTENCES = 25_000, 20_000
STEPS: dict[str, tuple[type[TrainingStep], tuple[tuple[int, int], ...]]] = {
    "contrastive": (ContrastiveStep, ((16, 100), (128, 100))),
    "cross-entropy": (CrossEntropyStep, ((16, 100), (128, 100))),
    "banyan": (BanyanStep, ((128, 256), (512, 256))),
}
"""Kinds of steps, each with batch sizes and widths."""


def sentences_of(source: str) -> list[str]:
    """Read the sentences to train on: the first 20,000 of 20 to 400 characters."""
    usable = (text for text in open_source(source).texts() if 20 <= len(text) <= 400)
    return list(itertools.islice(usable, NUM_SENTENCES))


def timed(work: Any, num_tokens: int) -> dict[str, float]:
    """Repeat a piece of work for about four seconds.

    Returns:
        Tokens per second of the median time, by ``clock`` and by ``processor``; of a training step also the median
        seconds of each of its parts.
    """
    work()
    turns: list[tuple[float, float]] = []
    parts: dict[str, list[float]] = {name: [] for name in (PARTS if isinstance(work, TrainingStep) else ())}
    begin = time.perf_counter()
    while len(turns) < 3 or (time.perf_counter() - begin < 4 and len(turns) < 100):
        start, spent = time.perf_counter(), time.process_time()
        work()
        turns.append((time.perf_counter() - start, time.process_time() - spent))
        for name, seconds in parts.items():
            seconds.append(work.seconds[name])
    clock, processor = (statistics.median(side) for side in zip(*turns, strict=True))
    medians = {name: statistics.median(seconds) for name, seconds in parts.items()}
    return {"clock": num_tokens / clock, "processor": num_tokens / processor, **medians}


def measured(sentences: list[str]) -> Iterator[tuple[str, dict[str, float]]]:
    """Time every kind of step and the encoding, with the threads of this process."""
    for kind, (step_of, sizes) in STEPS.items():
        for batch_size, dimension in sizes:
            make = banyan_models if kind == "banyan" else models_of
            width = make(sentences, dimension=dimension, vocab_size=VOCABULARY)
            step = step_of(width, sentences[:batch_size])
            num_tokens = int(leaves_of(width.encoder, step.sentences).num_tokens.sum())
            with step.as_trained():
                yield f"{kind} {batch_size} {dimension}", timed(step, num_tokens)
    width = models_of(sentences, dimension=100, vocab_size=VOCABULARY)
    features = width.encoder.eval().preprocess(sentences[:128])
    with torch.inference_mode():
        forward = timed(lambda: width.encoder(dict(features)), int(features["attention_mask"].sum()))
    yield "forward 128 100", forward
    num_tokens = int(leaves_of(width.encoder, sentences[:4096]).num_tokens.sum())
    for batch_size in (16, 1024):
        encode = timed(lambda size=batch_size: width.model.encode(sentences[:4096], batch_size=size), num_tokens)
        yield f"encode {batch_size} 100", encode


def ours(source: str, num_threads: int) -> dict[str, dict[str, float]]:
    """Measure our code in a new process with a number of threads."""
    command = [sys.executable, "-m", "benchmarks.released_code", "--source", source, "--measure", str(num_threads)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(result.stderr)
    return json.loads(result.stdout.splitlines()[-1])


def peer(command: str, name: str, num_threads: int, sentences: Path) -> float | None:
    """Time one step of the authors' code, in seconds; ``None`` where it has no such step or fails."""
    kind, batch_size, dimension = name.split()
    if kind not in {"contrastive", "banyan"}:
        return None
    arguments = [kind, batch_size, dimension, str(VOCABULARY), str(num_threads), str(sentences)]
    result = subprocess.run([*shlex.split(command), *arguments], capture_output=True, text=True, check=False)
    try:
        return float(result.stdout.split()[-1])
    except (IndexError, ValueError):
        print(f"{name}: the authors' code gave no time: {result.stderr[-300:]}", file=sys.stderr)
        return None


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.released_code", description=__doc__)
    parser.add_argument("--source", default="docs:", help="sentences to train on")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads")
    parser.add_argument("--peer", help="command that times the authors' code")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sentences = sentences_of(arguments.source)
    if arguments.measure:
        import numba  # noqa: PLC0415 with the threads alone

        torch.set_num_threads(arguments.measure)
        numba.set_num_threads(arguments.measure)
        print(json.dumps(dict(measured(sentences))))
        return
    found = {number: ours(arguments.source, number) for number in arguments.threads}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sentences.txt"
        file.write_text("\n".join(sentences), "utf8")
        times = {
            (name, number): peer(arguments.peer, name, number, file) if arguments.peer else None
            for name in found[arguments.threads[0]]
            for number in arguments.threads
        }
    show(found, times, sentences)


def show(
    found: dict[int, dict[str, dict[str, float]]], times: dict[tuple[str, int], float | None], sentences: list[str]
) -> None:
    """Print a row for each kind of work and number of threads."""
    table = Table(caption="Tokens a second; kind, sentences a batch, values of an embedding.", caption_justify="left")
    for heading in ("what", "threads", "ours", "by processor time", "threads gain", "theirs", "ratio"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    one = next(iter(found))
    width = models_of(sentences, dimension=100, vocab_size=VOCABULARY)
    for name in found[one]:
        num_tokens = int(leaves_of(width.encoder, sentences[: int(name.split()[1])]).num_tokens.sum())
        for number, of_threads in found.items():
            rate, seconds = of_threads[name], times[name, number]
            theirs = ("", "")
            if seconds is not None:
                theirs = (f"{num_tokens / seconds:,.0f}", f"{rate['clock'] * seconds / num_tokens:.1f}")
            gain = "" if number == one else f"{rate['clock'] / found[one][name]['clock']:.2f}"
            table.add_row(name, str(number), f"{rate['clock']:,.0f}", f"{rate['processor']:,.0f}", gain, *theirs)
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table, highlight=False)
    table = Table(caption="Milliseconds of each part of our steps, by the clock.", caption_justify="left")
    for heading in ("what", "threads", *PARTS):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for name in (name for name, rates in found[one].items() if PARTS[0] in rates):
        for number, of_threads in found.items():
            table.add_row(name, str(number), *(f"{1e3 * of_threads[name][part]:,.1f}" for part in PARTS))
    console.print(table, highlight=False)


if __name__ == "__main__":
    main()
