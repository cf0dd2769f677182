"""Where a step of SCT spends its time: online pass, reference pass, queues, comparison, optimizer.

    python -m benchmarks.sct_step --base MODEL --data PAIRS.tsv --columns 1,2

Every part is timed within whole steps, and the median of the steps is shown. The comparison is timed three ways: in one
pass over the queue (`kernels.queue_softmax`), by the plain formula with autograd, and its floor, the matrix products
that no exact computation can leave out: similarities of references and online vectors, and the mean of the rows under
their difference.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from selfsent.data.sources import open_source
from selfsent.losses.cross_view import CrossViewLoss, encode, reference_vectors
from selfsent.losses.functional import cross_view
from selfsent.losses.sentence_pass import Features
from selfsent.methods.starting_model import open_transformer
from selfsent.training.faster_steps import fast_dropout, gathered_embedding_gradients

PARTS = ("reference pass", "online pass", "queues", "comparison", "backward of model and head", "optimizer")


class Clock:
    """Sums the seconds of each part of a step."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def time(self, part: str, run: Callable[[], Any]) -> Any:
        """Run and note the time."""
        start = time.perf_counter()
        result = run()
        self.seconds[part].append(time.perf_counter() - start)
        return result

    def median(self, part: str) -> float:
        """Milliseconds of the median step."""
        return 1000 * statistics.median(self.seconds[part])


def step(loss: CrossViewLoss, optimizer: torch.optim.Optimizer, views: Sequence[Features], clock: Clock) -> None:
    """Take one training step, part by part."""
    optimizer.zero_grad()
    references = clock.time("reference pass", lambda: reference_vectors(loss.model, None, views))
    online, _ = clock.time("online pass", lambda: encode(loss.model, views, head=loss.head, reference="online"))
    candidates = clock.time("queues", lambda: loss.comparison.candidates(references))
    detached = tuple(rows.detach().requires_grad_() for rows in online)
    clock.time("comparison", lambda: loss.comparison.compare(detached, references, candidates).backward())
    gradients = [rows.grad for rows in detached]
    clock.time("backward of model and head", lambda: torch.autograd.backward(online, gradients))
    clock.time("optimizer", optimizer.step)


def compare_ways(loss: CrossViewLoss, batch: int, clock: Clock) -> None:
    """Time the same comparison by the plain formula, and the products alone."""
    queues = tuple(queue.rows for queue in loss.comparison.queues)
    width = queues[0].shape[1]
    unit = [torch.nn.functional.normalize(torch.randn(batch, width), dim=1) for _ in range(4)]
    online = unit[0].requires_grad_(), unit[1].requires_grad_()
    references = unit[2], unit[3]
    temperatures = {"temperature": 0.04, "reference_temperature": 0.03}
    clock.time("plain formula", lambda: cross_view(online, references, queues, **temperatures).backward())
    clock.time("products alone", lambda: products(torch.cat(unit[:2]).detach(), queues))


def products(rows: Tensor, queues: tuple[Tensor, ...], tile: int = 512) -> None:
    """The products of similarities and of the mean under the difference of two distributions, tile by tile."""
    half = len(rows) // 2
    total = torch.zeros(half, rows.shape[1])
    for queue in queues:
        for part in queue.split(tile):
            similarities = rows @ part.T
            total.addmm_(similarities[:half], part)


def batches(source: Any, model: Any, size: int) -> Iterator[list[Features]]:
    """Tokenised batches of the first two columns, for ever."""
    while True:
        rows: list[tuple[str, str]] = []
        for row in source:
            rows.append((str(row[source.text_columns[0]]), str(row[source.text_columns[-1]])))
            if len(rows) == size:
                yield [dict(model.preprocess(list(texts))) for texts in zip(*rows, strict=True)]
                rows = []


def measure(arguments: argparse.Namespace, queue_size: int) -> Clock:
    """Time the steps of one queue size."""
    model = open_transformer(arguments.base, pooling="mean", max_seq_length=64, device="cpu")
    model.max_seq_length = 64
    loss = CrossViewLoss(model, queue_size=queue_size).train()
    optimizer = torch.optim.AdamW(loss.parameters(), lr=1e-5, fused=True)
    source = open_source(arguments.data, columns=arguments.columns.split(",") if arguments.columns else None)
    data = batches(source, model, arguments.batch_size)
    clock = Clock()
    with fast_dropout(model), gathered_embedding_gradients(model):
        for number in range(arguments.steps + 1):
            step(loss, optimizer, next(data), clock)
            compare_ways(loss, arguments.batch_size, clock)
            if not number:  # the first step warms up
                clock = Clock()
    return clock


def main() -> None:
    """Print a table, one line a queue size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--columns")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--queue-sizes", default="1024,16384,131072")
    arguments = parser.parse_args()
    print(f"milliseconds a step of {arguments.batch_size} pairs, {torch.get_num_threads()} threads, medians")
    print("| queue | " + " | ".join(PARTS) + " | queues + comparison | plain formula | products alone |")
    print("|---|" + "---|" * (len(PARTS) + 3))
    for queue_size in map(int, arguments.queue_sizes.split(",")):
        clock = measure(arguments, queue_size)
        whole = sum(clock.median(part) for part in PARTS)
        share = (clock.median("queues") + clock.median("comparison")) / whole
        cells = [f"{clock.median(part):.1f}" for part in PARTS]
        others = [f"{clock.median(part):.0f}" for part in ("plain formula", "products alone")]
        print(f"| {queue_size:,} | {' | '.join(cells)} | {share:.0%} | {' | '.join(others)} |", flush=True)


if __name__ == "__main__":
    main()
