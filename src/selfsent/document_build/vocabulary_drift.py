"""Whether the words of the documents are still those that a model's vocabulary was made for."""

import itertools
from typing import Any

from sentence_transformers import SentenceTransformer

from selfsent.documents.corpus_file import CorpusFile
from selfsent.documents.passages import count_words

_DRIFT = 1.15
_SAMPLED_DOCUMENTS = 2000
_SAMPLED_CHARACTERS = 1000


def pieces_per_word(model: SentenceTransformer, corpus: CorpusFile) -> float:
    """Count the pieces of a model's vocabulary for each word of a sample of the documents."""
    texts = [document.text[:_SAMPLED_CHARACTERS] for document in itertools.islice(corpus, _SAMPLED_DOCUMENTS)]
    tokenizer: Any = model.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    num_pieces = sum(len(one.ids) for one in backend.encode_batch(texts, add_special_tokens=False))
    return num_pieces / max(1, sum(map(count_words, texts)))


def drift_notes(before: float, now: float) -> list[str]:
    """Say when words take many more pieces than they did.

    Args:
        before: Pieces a word when the model was trained.
        now: Pieces a word of the documents as they are.
    """
    if now < _DRIFT * before:
        return []
    note = f"a word now takes {now:.2f} pieces of the vocabulary, and took {before:.2f} when the model was trained"
    return [f"the documents have changed: {note}; add --retrain to learn anew"]
