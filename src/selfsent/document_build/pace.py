"""How long a stage will take: estimated from how fast a model encodes a sample, and told before the stage begins."""

import itertools
import time

from sentence_transformers import SentenceTransformer

from selfsent.documents.corpus_file import CorpusFile
from selfsent.documents.passages import count_words, passages
from selfsent.evaluation.tasks.own_documents import PASSAGE_WORDS

_SAMPLED_PASSAGES = 64


def seconds_a_passage(model: SentenceTransformer, corpus: CorpusFile) -> float:
    """Measure how long a model takes to encode a passage, by the first passages of some documents."""
    sampled = itertools.islice(corpus, 0, None, max(1, len(corpus) // _SAMPLED_PASSAGES))
    texts = [
        passage.text
        for document in sampled
        for passage in itertools.islice(passages(document, max_tokens=PASSAGE_WORDS, count_tokens=count_words), 1)
    ]
    began = time.perf_counter()
    model.encode_document(texts, show_progress_bar=False)
    return (time.perf_counter() - began) / max(1, len(texts))


def num_passages(corpus: CorpusFile, num_words: int) -> int:
    """Estimate the passages of documents from their words."""
    return len(corpus) + num_words // PASSAGE_WORDS
