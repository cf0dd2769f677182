"""What ``make bench`` compares and counts: the reference of Banyan does our work, floors are sums by hand."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from benchmarks import curves
from benchmarks.banyan_workload import BanyanStep, Graph, banyan_models
from benchmarks.communication import all_gathered, all_reduced, simulated_bytes, step_bytes
from benchmarks.comparisons import QUICK, Sizes
from benchmarks.floors import Floor, Rates, adam_bytes, composing, contrasting, finding, recovering
from benchmarks.history import compare_with_history
from benchmarks.interleaved import Timing, take_turns
from benchmarks.results import Results, show
from rich.console import Console


def test_the_reference_of_banyan_has_our_loss_and_gradients(sentences: list[str]):
    width = banyan_models(sentences, 8, 100)
    step = BanyanStep(width, [*sentences[:5], sentences[0], "rain"])
    reference = BanyanStep(width, step.sentences, reference_of=step)
    outcomes = []
    for one in (step, reference):
        assert one.without_dropout() == pytest.approx(step.without_dropout(), rel=1e-5)
        objective = one.objective()
        outcomes.append(torch.autograd.grad(objective, one.parameters))
    for ours, theirs in zip(*outcomes, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    assert np.isfinite([step(), reference()]).all()  # a step of training, with dropout, as it is timed


def test_a_pair_that_was_merged_before_has_one_parent():
    graph = Graph(torch.eye(3), torch.empty(0, 2, dtype=torch.int64), torch.zeros(3, dtype=torch.int64))
    one, other = torch.tensor([0, 0, 1]), torch.tensor([1, 1, 2])
    parents = graph.merge(one, other, torch.add, 0.0)
    assert parents[0] == parents[1] != parents[2]
    again = graph.merge(torch.tensor([1, 3]), torch.tensor([2, 4]), torch.add, 0.0)
    assert again.tolist() == [int(parents[2]), 5]
    assert graph.heights.tolist() == [0, 0, 0, 1, 1, 2]
    assert graph.values[5].tolist() == [1.0, 2.0, 1.0]


def test_floors_are_sums_by_hand():
    # One merge of 2 channels of 3 values: 2 outputs' sides, 3 inputs each, multiply and add: 2 * 2 * 3 a value.
    assert composing(1, 6, 3) == 12 * 6
    assert finding(1, 6, 3) == composing(1, 6, 3) + 3 * 2 * 6
    assert contrasting(10, 6) == 3 * (2 * 10 * 10 * 6)
    assert recovering(5, 7, 6) == 3 * (2 * 5 * 7 * 6)
    assert adam_bytes(3) == 3 * 28
    rates = Rates(products_per_s=10.0, bytes_per_s=4.0, exponentials_per_s=1.0)
    assert rates.floor(products=20.0, num_bytes=12.0, exponentials=1.0) == Floor(seconds=6.0, binds="bytes")
    assert rates.floor(products=20.0).binds == "products"


def test_candidates_take_turns_after_one_that_does_not_count():
    calls: list[str] = []
    timing = take_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, budget_s=0.0)
    assert calls == ["a", "b"] * 3
    assert {name: len(seconds) for name, seconds in timing.seconds.items()} == {"a": 2, "b": 2}


def test_tables_show_ratio_floor_and_curve():
    results = Results(machine={"load_at_start": 0.1, "load_at_end": 0.2, "cores": 2})
    timing = Timing(seconds={"ours": [0.1, 0.2], "reference": [0.8, 0.8]})
    results.add("step", timing, note="a note", floor=Floor(seconds=0.05, binds="bytes"))
    results.time("help", 0.75, note="a wait")
    results.floor = dict.fromkeys(
        ("matrix_product_gflops", "bandwidth_gb_s", "tiled_loss_gflops", "tiled_loss_share"), 0.5
    )
    point = {"size": 64, "seconds": 0.5, "floor_seconds": 0.25, "tokens_per_second": 1234.0}
    results.curves = {"batch": [point, {**point, "size": 128, "extra_memory_mib": 3.0}]}
    console = Console(width=140, record=True, file=None, quiet=False)
    with console.capture() as captured:
        show(results, console)
    text = captured.get()
    assert results.ratios == {"step": pytest.approx(5.333, abs=1e-3)}
    for shown in ("bytes", "0.75 s", "5.33", "4.00 to 8.00", "150.0", "50.0", "800.0", "1,234", "250.00"):
        assert shown in text


def test_a_ratio_to_the_released_algorithm_has_the_name_that_says_so():
    results = Results()
    for name in ("contrastive_step_16", "banyan_step_128"):
        results.add(name, Timing(seconds={"ours": [1.0], "reference": [2.0]}), note="")
    results.name_released([16], [128])
    assert results.ratios["contrastive_step_16_vs_released"] == results.ratios["banyan_step_128_vs_released"] == 2.0


def test_the_history_names_what_got_slower_on_the_same_machine(tmp_path: Path):
    path = tmp_path / "history.jsonl"

    def run(commit: str, threads: int, ratio: float, seconds: float) -> list[str]:
        results = Results(ratios={"step": ratio, "encode": 1.0}, machine={"commit": commit, "threads": threads})
        results.time("build", seconds, note="")
        return list(compare_with_history(vars(results), path))

    assert run("a", 1, 4.0, 10.0) == [f"no earlier run on this machine with 1 threads in {path}"]
    assert run("b", 2, 1.0, 99.0) == [f"no earlier run on this machine with 2 threads in {path}"]
    assert run("c", 1, 3.9, 10.5) == ["since a: nothing got slower by more than a tenth"]
    assert run("d", 1, 3.0, 20.0) == ["since c: step 3.90 -> 3.00; build 10.50 s -> 20.00 s"]
    assert [json.loads(line)["commit"] for line in path.read_text().splitlines()] == ["a", "b", "c", "d"]
    assert list(compare_with_history({}, None)) == []


def test_trying_out_measures_the_same_curves():
    assert QUICK.curves.keys() == Sizes().curves.keys()


def test_sentences_of_every_length_hold_the_same_words(monkeypatch: pytest.MonkeyPatch):
    points: list[tuple[int, int, int]] = []

    def note(step: curves.ContrastiveStep, *, size: int, **_: object) -> dict:
        points.append((size, len(step.sentences), len(" ".join(step.sentences).split())))
        return {}

    monkeypatch.setattr(curves, "step_of", lambda sentences, _: SimpleNamespace(sentences=sentences))
    monkeypatch.setattr(curves, "step_cost", note)
    rates = Rates(products_per_s=1.0, bytes_per_s=1.0)
    curves.length_curve(["one two three"] * 5, (4, 12), 100, rates, 0.0)
    assert points == [(4, 3, 12), (12, 1, 12)]
    with pytest.raises(AssertionError, match="15 words"):
        curves.length_curve(["one two three"] * 5, (4, 16), 100, rates, 0.0)


@pytest.mark.parametrize("num_ranks", [1, 2, 3, 4, 8])
def test_a_ring_gives_every_rank_the_sum_and_all_rows_and_sends_what_the_closed_form_says(num_ranks: int):
    values = [np.arange(24.0) * (rank + 1) for rank in range(num_ranks)]
    held, sent = all_reduced(values)
    for array in held:
        np.testing.assert_allclose(array, np.sum(values, axis=0))
    assert sent == pytest.approx(2 * (num_ranks - 1) / num_ranks * 24, abs=0 if 24 % num_ranks == 0 else 2)
    rows, _ = all_gathered(values)
    for of_rank in rows:
        np.testing.assert_array_equal(of_rank, values)
    assert simulated_bytes(2400, 12, 10, num_ranks) == pytest.approx(step_bytes(2400, 12, 10, num_ranks))
