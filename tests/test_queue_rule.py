"""The rule for SCT's queue size, on trainings made up by hand."""

from pathlib import Path

from tools.queue_rule import chosen, markdown, sweeps, trainings

from selfsent.runs.kept_runs import KeptRun


def write_run(place: Path, *, num_layers: int | None, queue_size: int, loss: float, dev: float) -> None:
    identity = {
        "data": "$SELFSENT_DATA/pairs/all.tsv",
        "base": "$SELFSENT_MODELS/small",
        "options": {"num_layers": num_layers, "queue_size": queue_size},
        "training": {"max_steps": 300},
    }
    curve = [
        {"step": 0},
        {"step": 100, "loss": 9.0, "sts_dev_spearman": dev - 0.125},
        {"step": 200, "loss": loss, "sts_dev_spearman": dev},
        {"step": 300, "loss": 0.0, "sts_dev_spearman": dev - 0.25},
    ]
    run = KeptRun(
        identity=identity,
        seed=1,
        figures={"sts_dev_spearman": ("sts_dev_spearman", dev)},
        data_hashes=[],
        curve=curve,
        provenance={},
    )
    run.write(place / "runs" / f"num_layers={num_layers},queue_size={queue_size}-seed1.json")


def test_the_shortest_queue_with_one_nat_at_step_200_is_taken_for_each_base(tmp_path: Path):
    place = tmp_path / "sct-queue-rule"
    write_run(place, num_layers=1, queue_size=4096, loss=1.5, dev=0.75)
    write_run(place, num_layers=1, queue_size=1024, loss=1.0, dev=0.625)
    write_run(place, num_layers=1, queue_size=128, loss=0.5, dev=0.5)
    write_run(place, num_layers=None, queue_size=128, loss=0.99, dev=0.5)
    found = sweeps(list(trainings(tmp_path)))
    assert [[one.queue_size for one in sweep] for sweep in found] == [[128, 1024, 4096], [128]]
    taken = chosen(found[0])
    assert taken is not None
    assert (taken.queue_size, taken.dev) == (1024, 62.5)
    assert chosen(found[1]) is None
    table = markdown(found)
    assert "| pairs | small | 1 | 300 | **1,024** | 1.00 | 62.50 | 12.50 |" in table
    assert "| pairs | small | all | 300 | 128 | 0.99 | 50.00 | 0.00 |" in table
    assert table.count("**") == 2
