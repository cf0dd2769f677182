"""BM25 as a ranker, the baseline that an embedder without labels has to face."""

from collections.abc import Sequence

import numpy as np

from selfsent.evaluation.ranking import Order, best
from selfsent.words import Analyser


class BM25:
    """Ranks documents by the words they share with the query, stemmed where the language has a stemmer.

    Documents that share no word with the query are not ranked at all.

    Args:
        analyser: Finds the words; None chooses the language of the documents.
        k1: Saturation of a word's count (Lucene's default).
        b: How much long documents are held back (Lucene's default).

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
        import bm25s  # noqa: PLC0415 it imports numba, a second that other suites need not wait

        analyser = self.analyser or Analyser.of_corpus(documents)
        words = [analyser.analyse(document) for document in documents]
        if not any(words):
            return [np.zeros(0, dtype=np.int64) for _ in queries]
        index = bm25s.BM25(k1=self.k1, b=self.b)
        index.index(words, show_progress=False)
        orders: list[Order] = []
        for query in queries:
            known = [word for word in analyser.query(query) if word in index.vocab_dict]
            scores = index.get_scores(known) if known else np.zeros(len(documents), dtype=np.float32)
            order = best(scores, top_k=top_k)
            orders.append(order[scores[order] > 0])
        return orders
