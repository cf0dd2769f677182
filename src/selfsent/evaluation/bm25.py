"""BM25 as a ranker: the baseline of an embedder that was trained without labels."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from selfsent.evaluation.ranking import Order, best
from selfsent.words import Analyser


class BM25:
    """Ranks documents by the words they share with the query, stemmed where the language has a stemmer.

    Documents that share no word with the query are not ranked at all.

    Args:
        analyser: Finds the words; None chooses the language of the documents.
        k1: Saturation of a word's count (Lucene's default).
        b: How strongly long documents are penalised (Lucene's default).

    Source: Robertson and Zaragoza 2009, in Lucene's variant, computed by the library bm25s.
    """

    def __init__(self, *, analyser: Analyser | None = None, k1: float = 1.2, b: float = 0.75) -> None:
        self.analyser = analyser
        self.k1 = k1
        self.b = b

    def rank(self, queries: Sequence[str], documents: Sequence[str], *, top_k: int) -> list[Order]:
        """Give, for each query, the positions of the best documents, best first.

        Args:
            queries: The queries.
            documents: The documents; of equal score the earlier is ranked first.
            top_k: At most this many a query.
        """
        orders: list[Order] = []
        for scores in self.passage_scores(queries, documents):
            order = best(scores[0], top_k=top_k)
            orders.append(order[scores[0, order] > 0])
        return orders

    def passage_scores(self, queries: Sequence[str], passages: Sequence[str]) -> Iterator[Float[np.ndarray, "1 P"]]:
        """Yield the scores of all passages, one query after another; 0 where no word is shared.

        Args:
            queries: The queries.
            passages: The passages; their statistics are those of BM25.
        """
        import bm25s  # noqa: PLC0415 it imports numba, a second that other suites need not wait

        analyser = self.analyser or Analyser.of_corpus(passages)
        words = [analyser.analyse(passage) for passage in passages]
        logging.getLogger("bm25s").setLevel(logging.WARNING)  # it tells each step
        index = bm25s.BM25(k1=self.k1, b=self.b)
        if any(words):
            index.index(words, show_progress=False)
        nothing = np.zeros((1, len(passages)), dtype=np.float32)
        for query in queries:
            known = [word for word in analyser.query(query) if word in index.vocab_dict] if any(words) else []
            yield np.asarray(index.get_scores(known))[None, :] if known else nothing
