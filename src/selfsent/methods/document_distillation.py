"""Document distillation: a static table learns the vectors that a teacher gives to the passages of documents.

No paper of its own: the objective is the embedding matching of EmbedDistill (Kim et al. 2023, arXiv 2301.12005), as
sentence-transformers has it, from a start that takes no gradient.

====================================================  ==========================  ===================================
what                                                  object                      file
====================================================  ==========================  ===================================
cosine to the teacher's vector of the passage         ``EmbedDistillLoss``        the host's
the teacher's vectors, each text computed once        ``TextVectors``             ``data/text_vectors.py``
start: mean vector of the passages that hold a token  ``_start``                  this file
====================================================  ==========================  ===================================

The student has the teacher's width, so that the two can be compared and no projection is lost with the loss.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from jaxtyping import Float
from scipy.sparse import csr_array
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import EmbedDistillLoss
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer

from selfsent.data.text_vectors import TextVectors
from selfsent.data.tokenizer import TokenizerOptions, open_or_train
from selfsent.documents.document import Document
from selfsent.documents.passages import count_words, passages
from selfsent.encoding import encode_texts
from selfsent.errors import UserError
from selfsent.losses.sentence_pass import width_of
from selfsent.methods.method import Method
from selfsent.methods.starting_model import TeacherOptions, open_teacher
from selfsent.model_content import content_hash
from selfsent.options import option
from selfsent.time_limit import TimeLimit
from selfsent.training.random_state import preserved_random_state
from selfsent.training.run import Ingredients, Run, RunData

_PASSAGES_AT_ONCE = 2000
_TEACHER_SHARE = 0.6  # of the time that is left when the teacher begins


@dataclass(frozen=True, kw_only=True)
class DocumentDistillationConfig(TeacherOptions, TokenizerOptions):
    """Options of ``document-distillation``.

    Args:
        passage_words: Words of a passage, at most; the teacher reads a passage with the document's title before it.
        teacher_cache: Folder for the teacher's vectors; ``none`` keeps them for the run only.
    """

    teacher: str = "sentence-transformers/all-MiniLM-L6-v2"
    passage_words: int = option(100, at_least=1)


def training(config: DocumentDistillationConfig) -> dict[str, Any]:  # noqa: ARG001 every method takes its configuration
    """The training arguments it follows; ours, and not tuned."""
    return {
        "num_train_epochs": 10,
        "per_device_train_batch_size": 128,
        "learning_rate": 3e-3,
        "lr_scheduler_type": "constant",
        "weight_decay": 0.0,
    }


def build(run: Run[DocumentDistillationConfig], data: RunData) -> Ingredients:
    """Cut passages, have the teacher encode as many as there is time for, and start the student's table.

    Raises:
        UserError: The base is not ``static``, the teacher cannot be opened, or there is no
            passage.
    """
    config = run.config
    if run.base not in (None, "static"):
        raise UserError(f"--base must be static for document-distillation, got {run.base}; leave it out")
    assert data.documents is not None, "the method reads documents"  # noqa: S101 our own invariant
    texts = list(dict.fromkeys(_texts(data.documents, config.passage_words)))
    if not texts:
        raise UserError("the documents hold no passage of text to learn from; give documents with text")
    teacher = open_teacher(run.teacher, config.teacher, device=run.device)
    vectors = TextVectors(_cache(run), width_of(teacher))
    limit = TimeLimit(_TEACHER_SHARE * data.limit.seconds_left / 60)
    with preserved_random_state():
        chosen = vectors.complete(texts, lambda part: _encoded(teacher, part), limit)
    tokenizer = open_or_train(config, iter(texts))
    backend: Any = tokenizer.backend_tokenizer  # pyright: ignore[reportAttributeAccessIssue] checked by load_tokenizer
    taught = [texts[place] for place in chosen]
    table = _start(taught, vectors, backend)
    module = StaticEmbedding(backend, embedding_weights=table)
    model = SentenceTransformer(modules=[module], device=run.device)
    dataset = Dataset.from_dict({"text": taught})
    dataset.set_transform(_Taught(vectors))
    loss = EmbedDistillLoss(model, distance_metric="cosine")
    notes = [f"{len(taught):,} passages with the teacher's vectors, of {len(texts):,}; vocabulary of {len(table):,}"]
    return Ingredients(model=model, loss=loss, dataset=dataset, notes=notes)


def _texts(documents: Iterable[Document], passage_words: int) -> Iterator[str]:
    for document in documents:
        for passage in passages(document.prose(), max_tokens=passage_words, count_tokens=count_words):
            if text := f"{passage.title} {passage.text}".strip():
                yield text


def _cache(run: Run[DocumentDistillationConfig]) -> Path:
    """A folder for each teacher, named by its content."""
    config = run.config
    folder = run.corpus_folder if config.teacher_cache is None else Path(config.teacher_cache).expanduser()
    return folder / f"teacher-{content_hash(run.teacher or config.teacher)[:16]}"


def _encoded(teacher: SentenceTransformer, texts: Any) -> Float[np.ndarray, "B D"]:
    vectors = encode_texts(teacher.encode_document, texts, batch_size=64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class _Taught:
    """Adds the teacher's vectors to a batch of texts, as the host's loss takes them."""

    vectors: TextVectors

    def __call__(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {"text": batch["text"], "label": list(torch.from_numpy(self.vectors.of(batch["text"])))}


def _start(texts: list[str], vectors: TextVectors, tokenizer: Tokenizer) -> Float[np.ndarray, "V D"]:
    """Start each token at the mean vector of the passages that hold it, less the mean of all, times its idf.

    A token of few passages is drawn to zero, as if it stood in one more passage of no direction.
    """
    num_tokens = tokenizer.get_vocab_size()
    sums = num_holding = mean = None
    for start in range(0, len(texts), _PASSAGES_AT_ONCE):
        part = texts[start : start + _PASSAGES_AT_ONCE]
        ids = [sorted(set(one.ids)) for one in tokenizer.encode_batch_fast(part, add_special_tokens=False)]
        bounds = np.cumsum([0, *map(len, ids)])
        places = np.concatenate([np.array(one, dtype=np.int64) for one in ids])
        holds = csr_array((np.ones(len(places), dtype=np.float32), places, bounds), shape=(len(part), num_tokens))
        found = vectors.of(part)
        if sums is None or num_holding is None or mean is None:
            sums = np.zeros((num_tokens, found.shape[1]), dtype=np.float32)
            num_holding = np.zeros(num_tokens, dtype=np.float32)
            mean = np.zeros(found.shape[1], dtype=np.float32)
        sums += holds.T @ found
        num_holding += holds.sum(axis=0)
        mean += found.sum(axis=0)
    assert sums is not None and num_holding is not None and mean is not None, "there is a text"  # noqa: S101, PT018
    centred = (sums - num_holding[:, None] * (mean / len(texts))) / (num_holding[:, None] + 1)
    idf = np.log((1 + len(texts)) / (1 + num_holding)) + 1
    return centred * (idf / idf.max())[:, None]


DOCUMENT_DISTILLATION = Method(
    name="document-distillation",
    summary="a static table learns what a --teacher says of the passages of raw documents, by EmbedDistillLoss (2023)",
    config=DocumentDistillationConfig,
    build=build,
    training=training,
    takes_teacher=True,
    reads_documents=lambda _: True,
)
"""A static student of a teacher on documents."""
