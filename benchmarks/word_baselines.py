"""Score what needs no learning: BM25 with and without its language, and tf-idf + svd over whole documents.

    SELFSENT_DATA=DIR python -m benchmarks.word_baselines [--dimension 256]

Prints nDCG@10 of the collections under ``retrieval/`` and of the held-out docstrings (the SVD is fitted on the others).
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from selfsent.counts.word_vectors import tfidf_svd
from selfsent.data.docs import is_heldout, open_docstrings
from selfsent.evaluation.bm25 import BM25
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks.docs_retrieval import docs_collection
from selfsent.evaluation.tasks.retrieval import Collection, collection_folders, read_collection, score_collection
from selfsent.words import Analyser


def collections(data_dir: Path) -> Iterator[tuple[Collection, Sequence[str]]]:
    """Yield each collection with the documents that may be learned from."""
    for folder in collection_folders(data_dir):
        collection = read_collection(folder)
        yield collection, collection.documents
    corpus = open_docstrings()
    yield docs_collection(corpus), [" ".join(one.sentences) for one in corpus.docstrings if not is_heldout(one)]


def main() -> None:
    """Score all of them on all collections."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dimension", type=int, default=256)
    dimension = parser.parse_args().dimension
    for collection, documents in collections(Path(os.environ["SELFSENT_DATA"])):
        rankers = {
            "BM25": BM25(),
            "BM25, no language": BM25(analyser=Analyser()),
            f"tf-idf + svd, {dimension}": tfidf_svd(documents, dimension=dimension),
        }
        for name, ranker in rankers.items():
            score = score_collection(ranker, collection, SuiteOptions())
            low, high = score.ci95 or (float("nan"), float("nan"))
            print(f"{collection.name:10s} {name:20s} {100 * score.value:.2f} ({100 * low:.1f} to {100 * high:.1f})")


if __name__ == "__main__":
    main()
