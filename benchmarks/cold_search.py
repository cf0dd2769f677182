"""Measure a search: its processor time in a new process, its latency, and the recall of the approximate index.

    python -m benchmarks.cold_search MODEL SOURCE --rows 200000

Indexes rows of a source into a temporary store. Then it searches by the store's snapshot, as `selfsent search` does,
and by its table and the host, as it did before there were snapshots. The two take turns. Printed as JSON.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.interleaved import take_turns

from selfsent.data.sources import open_source
from selfsent.loading import open_to_encode
from selfsent.search.indexing import index
from selfsent.search.mapped_store import MappedStore
from selfsent.search.ranking import rank
from selfsent.search.store import MODES, Store

TOP = 10
BY_TABLE = """
import sys
from selfsent.search.mapped_store import MappedStore
MappedStore.find = classmethod(lambda cls, uri: None)
from selfsent import loading
loading.open_to_encode = loading.load
from selfsent.cli import main
main()
"""


def cold(program: Sequence[str], store: Path, query: str, num_turns: int) -> dict[str, float]:
    """Run a search in new processes; give the median of their processor seconds, and the least."""
    seconds: list[float] = []
    for _ in range(num_turns):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, *program, "search", str(store), query], check=True, capture_output=True, text=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {"median_s": round(statistics.median(seconds), 2), "least_s": round(min(seconds), 2)}


def latencies(store: Path, query: str, vector: np.ndarray, budget_s: float) -> dict[str, dict[str, float]]:
    """Milliseconds of one ranking in an open process, by mode."""
    table, mapped = Store.open(store), MappedStore.find(str(store))
    assert mapped is not None, "index has written it"
    found: dict[str, dict[str, float]] = {}
    for mode in MODES:
        timing = take_turns(
            {
                "snapshot": lambda mode=mode: rank(mapped, query, vector, k=TOP, mode=mode),
                "table": lambda mode=mode: table.read(lambda: rank(table, query, vector, k=TOP, mode=mode)),
            },
            budget_s=budget_s,
        )
        found[mode] = {name: round(1000 * timing.median(name), 1) for name in ("snapshot", "table")}
    return found


def recall(store: Path, vectors: np.ndarray) -> dict[str, float]:
    """Share of the ten nearest rows that the table finds, which has an approximate index if it is large."""
    table, mapped = Store.open(store), MappedStore.find(str(store))
    assert mapped is not None, "index has written it"
    shares = {"table": 0.0, "snapshot": 0.0}
    for vector in vectors:
        least = mapped.nearest(vector, TOP)[-1]["score"] - 1e-6  # of equal rows, either may be found
        for name, place in (("table", table), ("snapshot", mapped)):
            shares[name] += sum(row["score"] >= least for row in place.nearest(vector, TOP)) / TOP / len(vectors)
    return {name: round(share, 4) for name, share in shares.items()}


def measure(model: str, source: str, num_rows: int, query: str, folder: Path) -> dict[str, Any]:
    """Index, and measure everything."""
    opened = open_to_encode(model)
    store = folder / "store"
    began, cpu = time.perf_counter(), time.process_time()
    report = index(opened, open_source(source, max_rows=num_rows), store, model_path=Path(model).resolve())
    facts: dict[str, Any] = {
        "rows": report.num_rows,
        "index_s": round(time.perf_counter() - began, 1),
        "index_processor_s": round(time.process_time() - cpu, 1),
    }
    for name in ("texts.lance", "snapshots"):
        size = sum(path.stat().st_size for path in (store / name).rglob("*") if path.is_file())
        facts[f"{name}_mib"] = round(size / 2**20, 1)
    facts["cold_search"] = {
        "snapshot": cold(["-m", "selfsent"], store, query, 5),
        "table": cold(["-c", BY_TABLE], store, query, 2),
    }
    mapped = MappedStore.find(str(store))
    assert mapped is not None, "index has written it"
    drawn = np.random.default_rng(0).choice(len(mapped), 100, replace=False).tolist()
    texts = [row["text"] for row in mapped.fetch(drawn, ["id", "text"]).values()]
    halves = [text[: len(text) // 2 + 1] for text in texts]
    facts["latency_ms"] = latencies(store, query, opened.encode_query([query])[0], budget_s=10)
    facts["recall_at_10"] = recall(store, opened.encode_query(halves))
    return facts


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_search", description=__doc__)
    parser.add_argument("model", help="folder of a tree or static model")
    parser.add_argument("source", help="a source of texts")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the source to index")
    parser.add_argument("--query", default="how is a file read", help="what to search for")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        facts = measure(arguments.model, arguments.source, arguments.rows, arguments.query, Path(folder))
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
