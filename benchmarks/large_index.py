"""An index of millions of passages: what to index, whether two engines made the same rows, and how it is searched.

    python -m benchmarks.large_index corpus NUMBER FILE...      # writes corpus.jsonl, lines of FILEs repeated
    python -m benchmarks.large_index model BASE DIMENSION       # writes static, a static model of principal values
    python -m benchmarks.large_index compare STORE STORE        # how many rows are in one of them alone
    python -m benchmarks.large_index search STORE corpus.jsonl  # milliseconds by mode, and recall against all rows

Between them: `selfsent index static corpus.jsonl --store STORE [--engine ray]`.
"""

import argparse
import hashlib
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.data.sources import open_source
from selfsent.search.semantic_search import SemanticSearch
from selfsent.search.store import MODES, Store

NUM_QUERIES, NUM_WORDS, TOP = 30, 8, 10
RARE = 1e-3  # a piece of this frequency has half of the weight of one that never occurs (SIF: Arora et al. 2017)


def write_corpus(number: int, files: Sequence[str]) -> None:
    """Write documents with ids; of each copy of a line the number of the copy is the last word."""
    lines = [text for file in files for text in open_source(file).texts()]
    numbered = ((copy, line, text) for copy in itertools.count() for line, text in enumerate(lines))
    with open("corpus.jsonl", "w", encoding="utf8") as stream:  # noqa: PTH123 a name in the current folder
        for copy, line, text in itertools.islice(numbered, number):
            document = {"id": f"{copy}-{line}", "text": f"{text} {copy}"}
            stream.write(json.dumps(document, ensure_ascii=False) + "\n")


def write_model(base: str, dimension: int) -> None:
    """Save the first principal values of a transformer's pieces, the frequent ones weighted less."""
    import torch  # noqa: PLC0415 the other parts need no torch
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding  # noqa: PLC0415
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    table = AutoModel.from_pretrained(base).get_input_embeddings().weight.detach().numpy().astype(np.float64)
    table -= table.mean(axis=0)
    values = table @ np.linalg.svd(table, full_matrices=False)[2][:dimension].T
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    frequency = 1 / (np.arange(1, len(values) + 1) * np.log(len(values)))
    values *= (RARE / (RARE + frequency))[:, None]
    values[tokenizer.all_special_ids] = 0
    weights = torch.tensor(values, dtype=torch.float32)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer._tokenizer, embedding_weights=weights)]).save("static")  # noqa: SLF001


def rows_of(store: str) -> NDArray[np.bytes_]:
    """Hash each row with its vector; the hashes in order."""
    table = Store.open(store).table
    columns = [name for name in table.schema.names if name != "vector"]
    hashes = np.empty(table.count_rows(), dtype="S16")
    number = 0
    for batch in table.search().select([*columns, "vector"]).to_batches():
        vectors = vectors_of(batch)
        for row, vector in zip(
            zip(*(batch.column(name).to_pylist() for name in columns), strict=True), vectors, strict=True
        ):
            content = repr(row).encode("utf8", "surrogatepass") + vector.tobytes()
            hashes[number] = hashlib.blake2b(content, digest_size=16).digest()
            number += 1
    return np.sort(hashes)


def vectors_of(batch: Any) -> NDArray[np.float32]:
    """The vectors of rows, ``(rows, dimension)``."""
    return batch.column("vector").flatten().to_numpy(zero_copy_only=False).reshape(len(batch), -1)


def compare(one: str, other: str) -> None:
    """Print how many rows two stores share."""
    first, second = rows_of(one), rows_of(other)
    shared = len(np.intersect1d(first, second))
    for store, found in ((one, first), (other, second)):
        print(f"{store}: {len(found):,} rows, {len(found) - len(np.unique(found)):,} of them twice")
        print(f"{store}: {len(found) - shared:,} that the other does not hold")


def questions(corpus: str) -> Iterator[str]:
    """The first words of documents that are spread over the corpus."""
    with open(corpus, encoding="utf8") as stream:  # noqa: PTH123
        for line in itertools.islice(stream, 7, NUM_QUERIES * 60_000, 60_000):
            yield " ".join(json.loads(line)["text"].split()[:-1][:NUM_WORDS])


def search(store: str, corpus: str) -> None:
    """Ask by each mode, then compare what is found by vectors with the best of all rows."""
    asked = list(questions(corpus))
    searching = SemanticSearch(store, device="cpu")
    searching.search(asked[0], TOP)
    found: list[set[str | None]] = []
    for mode in MODES:
        seconds = []
        found = []
        for query in asked:
            began = time.perf_counter()
            hits = searching.search(query, TOP, mode, all=True)
            seconds.append(time.perf_counter() - began)
            found.append({hit.document for hit in hits})
        print(f"{mode}: median {1000 * np.median(seconds):.0f} ms, longest {1000 * max(seconds):.0f} ms")
        if mode == "vector":
            best = best_of_all(searching, np.asarray(searching.model.encode_query(asked)))
            print(f"recall@{TOP} {np.mean([len(a & b) / TOP for a, b in zip(found, best, strict=True)]):.3f}")


def best_of_all(searching: SemanticSearch, queries: NDArray[np.float32]) -> list[set[str]]:
    """The documents of the highest cosines with each query, by a pass over all rows."""
    queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    best: list[list[tuple[float, str]]] = [[] for _ in queries]
    for batch in searching.table.table.search().select(["document", "vector"]).to_batches():
        vectors, names = vectors_of(batch), batch.column("document")
        cosines = vectors @ queries.T / np.maximum(np.linalg.norm(vectors, axis=1), 1e-9)[:, None]
        for number, column in enumerate(cosines.T):
            top = np.argsort(-column)[:TOP]
            both = best[number] + [(float(column[place]), names[int(place)].as_py()) for place in top]
            best[number] = sorted(both, reverse=True)[:TOP]
    return [{name for _, name in one} for one in best]


def main() -> None:
    """Do one of the four."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["corpus", "model", "compare", "search"])
    parser.add_argument("words", nargs="+")
    asked = parser.parse_args()
    if asked.part == "corpus":
        write_corpus(int(asked.words[0]), asked.words[1:])
    elif asked.part == "model":
        write_model(asked.words[0], int(asked.words[1]))
    else:
        {"compare": compare, "search": search}[asked.part](*asked.words)


if __name__ == "__main__":
    main()
