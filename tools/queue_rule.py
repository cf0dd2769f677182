"""A rule for SCT's queue size beside what it chooses: ``python -m tools.queue_rule`` writes results/queue-rule.md.

The rule: the shortest queue with which the loss is still one nat at step 200. It reads results/*/runs/*.json of the
tables below, in which one seed of SCT was trained with queues of several sizes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfsent.runs.kept_runs import KeptRun
from tools.label_free import DEV, RESULTS, runs_in

TABLES = ("sct-queue", "sct-queue-minilm", "sct-queue-rule", "sct-queue-nli")
SEED = 1
STEP = 200
LEAST_LOSS = 1.0
"""Nats that the loss of SCT (distributions, KL) has at ``STEP`` with a queue that is long enough."""
_NOTE = (
    f"The loss is what the run logged at step {STEP}, in nats. In bold: the shortest queue with a loss of"
    f" {LEAST_LOSS:g} there, which the rule takes. Best look at STS-B dev, seed {SEED}."
)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One training with a queue.

    Args:
        data: Folder of the data: ``paraphrase``, pairs that mean the same; ``nli``, sentences.
        base: Name of the base.
        num_layers: How many of its layers were taken; ``None``: all.
        num_steps: Length of the training.
        queue_size: Rows of a queue.
        loss: Loss at ``STEP``.
        dev: Best STS-B dev, times 100.
    """

    data: str
    base: str
    num_layers: int | None
    num_steps: int
    queue_size: int
    loss: float
    dev: float


def trainings(folder: Path = RESULTS) -> Iterator[Trained]:
    """Every training of the tables with seed ``SEED``, in the order of the tables."""
    for table in TABLES:
        yield from (_trained(run) for run in runs_in(folder / table / "runs") if run.seed == SEED)


def _trained(run: KeptRun) -> Trained:
    identity = run.identity
    _, dev = run.figures[DEV]
    return Trained(
        data=Path(identity["data"]).parent.name,
        base=identity["base"].rpartition("/")[2],
        num_layers=identity["options"]["num_layers"],
        num_steps=identity["training"]["max_steps"],
        queue_size=identity["options"]["queue_size"],
        loss=next(row["loss"] for row in run.curve if row["step"] == STEP),
        dev=100 * dev,
    )


def sweeps(trained: Sequence[Trained]) -> list[list[Trained]]:
    """Put trainings that differ in the queue size alone together, shortest queue first."""
    found: dict[tuple[str, str, int | None, int], list[Trained]] = {}
    for one in trained:
        found.setdefault((one.data, one.base, one.num_layers, one.num_steps), []).append(one)
    return [sorted(sweep, key=lambda one: one.queue_size) for sweep in found.values()]


def chosen(sweep: Sequence[Trained]) -> Trained | None:
    """Return the training that the rule chooses from a sweep sorted by size; ``None`` if every queue is too short."""
    return next((one for one in sweep if one.loss >= LEAST_LOSS), None)


def markdown(found: Sequence[Sequence[Trained]]) -> str:
    """The table that results/queue-rule.md holds."""
    lines = [
        "# A rule for the queue size of SCT",
        "",
        f"| data | base | layers | steps | queue | loss at step {STEP} | STS-B dev | below the best |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for sweep in found:
        taken, best = chosen(sweep), max(one.dev for one in sweep)
        for one in sweep:
            mark = "**" if one is taken else ""
            layers = "all" if one.num_layers is None else one.num_layers
            lines.append(
                f"| {one.data} | {one.base} | {layers} | {one.num_steps:,} | {mark}{one.queue_size:,}{mark}"
                f" | {one.loss:.2f} | {one.dev:.2f} | {best - one.dev:.2f} |"
            )
    return "\n".join([*lines, "", _NOTE, ""])


def main() -> int:
    """Write results/queue-rule.md."""
    (RESULTS / "queue-rule.md").write_text(markdown(sweeps(list(trainings()))), encoding="utf8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
