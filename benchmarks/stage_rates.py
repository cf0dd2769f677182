"""Rows a processor second of each stage between a file and a store, for docs/scale.md.

    python -m benchmarks.stage_rates MODEL SOURCE [--rows 50000]

Seconds are those of the processor, so that other work on the machine matters little.
"""

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from selfsent.data.sources import open_source
from selfsent.encoding import chunked, encode_texts
from selfsent.loading import open_to_encode
from selfsent.search.indexing import index
from selfsent.search.text_id import NAMED_AT_ONCE, TextIds
from selfsent.words import Analyser


def timed(name: str, num_rows: int, action: Callable[[], Any]) -> Any:
    """Print the rate of an action, and return what it gives."""
    began = time.process_time()
    outcome = action()
    seconds = time.process_time() - began
    print(f"{name:<40} {seconds:8.2f} s {num_rows / max(seconds, 1e-9):>12,.0f} rows/s", flush=True)
    return outcome


def main() -> None:
    """Measure stage by stage, then all of `index` together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("source")
    parser.add_argument("--rows", type=int, default=50_000)
    asked = parser.parse_args()
    model = open_to_encode(asked.model, device="cpu")
    source = open_source(asked.source, max_rows=asked.rows)
    texts = timed("read", asked.rows, lambda: list(source.texts()))
    identify, analyser = TextIds(), Analyser.of_corpus(itertools.islice(texts, 1000))
    timed("name by content", len(texts), lambda: list(map(identify, chunked(texts, NAMED_AT_ONCE))))
    timed("find words for BM25", len(texts), lambda: [analyser.analyse(text) for text in texts])
    encode_texts(model.encode_document, texts[:64], batch_size=64)
    timed("encode", len(texts), lambda: encode_texts(model.encode_document, texts, batch_size=64))
    with TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        timed("index: all of these, written", len(texts), lambda: index(model, source, store, model_path=asked.model))
        size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file() and "snapshots" not in file.parts)
    print(f"{size / len(texts):,.0f} bytes a row of the table and its indices, without the snapshot")


if __name__ == "__main__":
    main()
