"""Measure a store of many passages: time to index, size, latency by mode and recall@10, by how its vectors are held.

    python -m benchmarks.search_at_size MODEL SOURCE --rows 200000 --json search-at-size.json

Three stores of the same texts: float32 with its snapshot, int8 with its snapshot, and float32 as if it were too large
for a snapshot, so that LanceDB's approximate index is built and searched. The ten nearest of each are compared with
those of all float32 vectors. Queries are the first halves of passages drawn at random.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.interleaved import take_turns

from selfsent.data.sources import open_source
from selfsent.loading import open_to_encode
from selfsent.search import store_snapshot
from selfsent.search.exact_scan import nearest_rows, recall
from selfsent.search.indexing import index
from selfsent.search.mapped_store import MappedStore
from selfsent.search.ranking import rank
from selfsent.search.store import MODES, Store
from selfsent.search.store_schema import VectorType
from selfsent.search.weak_answers import first_half

TOP = 10
NUM_QUERIES = 100
STORES: dict[str, tuple[VectorType, bool]] = {
    "float32": ("float32", True),
    "int8": ("int8", True),
    "approximate": ("float32", False),
}
"""How the vectors of each store are held, and whether it has a snapshot."""

Facts = dict[str, Any]


def indexed(opened: Any, model: Path, source: str, *, num_rows: int, place: Path, held: VectorType) -> Facts:
    """Index the first rows of a source, and give seconds, sizes and what the store records."""
    began, cpu = time.perf_counter(), time.process_time()
    report = index(opened, open_source(source, max_rows=num_rows), place, model_path=model, vectors=held)
    facts: Facts = {
        "rows": report.num_rows,
        "index_s": round(time.perf_counter() - began, 1),
        "index_processor_s": round(time.process_time() - cpu, 1),
        "recorded": {"int8_recall": report.int8_recall, "probes": report.probes, "index_recall": report.index_recall},
    }
    for name in ("texts.lance", "snapshots"):
        sizes = [path.stat().st_size for path in (place / name).rglob("*") if path.is_file()]
        facts[f"{name}_mib"] = round(sum(sizes) / 2**20, 1)
    return facts


def opened_store(place: Path) -> Store | MappedStore:
    """The store as a search opens it: its snapshot, or its table where there is none."""
    return MappedStore.find(str(place)) or Store.open(place)


def latencies(stores: dict[str, Store | MappedStore], query: str, vector: np.ndarray, budget_s: float) -> Facts:
    """Milliseconds of one ranking in an open process, by mode and store; the stores take turns."""
    found: Facts = {}
    for mode in MODES:
        rankings = {
            name: lambda store=store, mode=mode: store.read(lambda: rank(store, query, vector, k=TOP, mode=mode))
            for name, store in stores.items()
        }
        timing = take_turns(rankings, budget_s=budget_s)
        found[mode] = {name: round(1000 * timing.median(name), 1) for name in stores}
    return found


def recalls(stores: dict[str, Store | MappedStore], exact: Store, queries: np.ndarray) -> dict[str, float]:
    """Recall@10 of each store, by the cosines that float32 vectors give to what it found."""
    best = [cosines for _, cosines in nearest_rows(exact.vector_blocks(), queries, TOP)]
    units = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    found = {
        name: [[row["id"] for row in store.nearest(one, TOP)] for one in queries] for name, store in stores.items()
    }
    wanted = sorted({name for rows in found.values() for ids in rows for name in ids})
    vectors = _vectors_of(exact, wanted)
    return {
        name: round(
            recall(
                (np.array([vectors[id_] @ unit for id_ in ids]) for ids, unit in zip(rows, units, strict=True)), best
            ),
            4,
        )
        for name, rows in found.items()
    }


def _vectors_of(store: Store, ids: list[str]) -> dict[str, np.ndarray]:
    """The vectors of some rows, scaled to length 1."""
    names = ", ".join(f"'{name}'" for name in ids)
    rows = store.table.search().where(f"id IN ({names})").select(["id", "vector"]).to_arrow().to_pylist()
    return {row["id"]: np.array(row["vector"]) / np.linalg.norm(row["vector"]) for row in rows}


def measure(model: Path, source: str, num_rows: int, query: str, folder: Path) -> Facts:
    """Index three times, and measure everything."""
    opened = open_to_encode(model)
    facts: Facts = {}
    limit = store_snapshot.MAX_BYTES
    for name, (held, has_snapshot) in STORES.items():
        store_snapshot.MAX_BYTES = limit if has_snapshot else 0
        facts[name] = indexed(opened, model, source, num_rows=num_rows, place=folder / name, held=held)
        print(json.dumps({name: facts[name]}), flush=True)
    store_snapshot.MAX_BYTES = limit
    stores = {name: opened_store(folder / name) for name in STORES}
    exact = Store.open(folder / "float32")
    drawn = np.random.default_rng(0).choice(len(exact), NUM_QUERIES, replace=False)
    texts = exact.table.take_offsets(sorted(drawn.tolist())).select(["text"]).to_arrow().column("text").to_pylist()
    queries = opened.encode_query([first_half(text) for text in texts])
    facts["latency_ms"] = latencies(stores, query, opened.encode_query([query])[0], budget_s=10)
    facts["recall_at_10"] = recalls(stores, exact, queries[np.linalg.norm(queries, axis=1) > 0])
    return facts


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_at_size", description=__doc__)
    parser.add_argument("model", type=Path, help="folder of a model")
    parser.add_argument("source", help="a source of texts")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the source to index")
    parser.add_argument("--query", default="how is a file read", help="what to time a search with")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        facts = measure(arguments.model.resolve(), arguments.source, arguments.rows, arguments.query, Path(folder))
    text = json.dumps(facts, indent=2)
    print(text)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", "utf8")


if __name__ == "__main__":
    main()
