"""The suite ``own-documents``: a part of each held-out document finds the rest of it. It needs no labels.

Protocol: some documents are held out as a whole, by the hashes of their contents. Of each of them the title, the first
sentence, or a sentence drawn at random is the query, and what is left of the document is the only right answer. It
stands among the passages of the corpus; a document is as near as its nearest passage. The score of a document is the
mean over its queries, and intervals are over documents. Figures are comparable within one corpus only.

Source: the task is the Inverse Cloze Task (Lee et al. 2019), read as an evaluation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
from jaxtyping import Bool, Int

from selfsent.data.heldout import hash_of_text
from selfsent.documents.document import Document
from selfsent.documents.documents import open_documents
from selfsent.documents.passages import count_words, passages
from selfsent.documents.sentences import sentences
from selfsent.errors import UserError
from selfsent.evaluation.bm25 import BM25
from selfsent.evaluation.document_scores import (
    CUTOFF,
    CosineScores,
    DocumentQuestions,
    PassageScorer,
    Ranks,
    gains,
    right_ranks,
)
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.ranking import Ranker
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder
from selfsent.evaluation.statistics import Mean, bootstrap_interval
from selfsent.evaluation.suite_options import SuiteOptions

Part = Literal["title", "first sentence", "random sentence"]
PARTS: tuple[Part, ...] = get_args(Part)
Candidates = Literal["all", "held-out"]

PASSAGE_WORDS = 200
"""Words of a passage at most; the same passages whatever the model, so that models can be compared."""

_SHARE = 0.05
_LARGEST_SHARE = 0.25
_WANTED_DOCUMENTS = 200
_WANTED_QUERIES = 200
_MOST_SENTENCES = 5
_MIN_WORDS = 6
_NUM_HASHES = 2**64


def evaluate(model: Encoder | Ranker, data_dir: Path | None, options: SuiteOptions) -> list[Score]:  # noqa: ARG001 a suite's signature
    """Score a model, or BM25, on the documents that ``options.data`` names.

    Args:
        model: The model.
        data_dir: Not used.
        options: Uses ``data``, ``batch_size``, ``num_resamples``, ``seed``.

    Returns:
        nDCG@10 of each part that the documents have; recall@10 and how often the right document came first beside it.

    Raises:
        UserError: No documents are named, or they have no parts.
    """
    if options.data is None:
        raise UserError("the suite own-documents needs documents, and none were named; name them with --data SOURCE")
    documents = open_documents(options.data)
    num_documents = sum(1 for _ in documents)
    candidates: Candidates = "held-out" if options.data.startswith("docs:") else "all"
    tasks = own_document_tasks(documents, share=heldout_share(num_documents), candidates=candidates)
    scorer = model if isinstance(model, BM25) else CosineScores(cast("Encoder", model), batch_size=options.batch_size)
    return [score_part(scorer, task, num_resamples=options.num_resamples, seed=options.seed) for task in tasks]


def heldout_share(num_documents: int) -> float:
    """Share of the documents to hold out: 5%, more of a small corpus so that there are 200, and a quarter at most."""
    return share_with(_WANTED_DOCUMENTS, num_documents)


def share_with(num_wanted: int, num_documents: int) -> float:
    """Share of the documents that holds so many: 5% at least and a quarter at most."""
    return min(_LARGEST_SHARE, max(_SHARE, num_wanted / max(num_documents, 1)))


def is_held_out(document: Document, share: float) -> bool:
    """Tell whether a document is held out, by its content alone: copies of it are held out as well."""
    return document.content_hash < share * _NUM_HASHES


@dataclass
class PassagesOf:
    """Passages so far, and the numbers of the documents they are of."""

    texts: list[str] = field(default_factory=list[str])
    documents: list[int] = field(default_factory=list[int])
    names: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])

    def add(self, document: Document, number: int) -> None:
        """Add the passages of a document."""
        self.names[number] = document.id, document.title
        for text in passage_texts(document):
            self.texts.append(text)
            self.documents.append(number)

    def limited(self, most: int | None) -> "PassagesOf":
        """Keep at most so many passages, those of the lowest hashes."""
        if most is None or len(self.texts) <= most:
            return self
        kept = sorted(range(len(self.texts)), key=lambda place: hash_of_text(self.texts[place]))[:most]
        return PassagesOf([self.texts[place] for place in kept], [self.documents[place] for place in kept], self.names)


def passage_texts(document: Document) -> list[str]:
    """Cut a document into passages of at most ``PASSAGE_WORDS`` words, each behind the document's title."""
    cut = passages(document, max_tokens=PASSAGE_WORDS, count_tokens=count_words)
    return [f"{passage.title} {passage.text}".strip() for passage in cut]


def own_document_tasks(
    documents: Iterable[Document],
    *,
    share: float,
    candidates: Candidates = "all",
    max_queries: int = 1000,
    max_other_passages: int | None = None,
) -> list[DocumentQuestions]:
    """Make the tasks of a corpus, one a part that enough documents have.

    Args:
        documents: The corpus, read once.
        share: Share of documents to hold out (`heldout_share`).
        candidates: Whether the right document stands among ``all`` documents, or among the ``held-out`` ones.
        max_queries: Largest number of held-out documents with a query; those of the lowest hashes are taken.
        max_other_passages: Largest number of passages of other documents, those of the lowest hashes; ``None``: all.

    Raises:
        UserError: Fewer than two held-out documents have a part and a rest.
    """
    heldout: dict[int, Document] = {}
    others = PassagesOf()
    for number, document in enumerate(documents, start=max_queries):
        if is_held_out(document, share):
            heldout.setdefault(document.content_hash, document)
        elif candidates == "all":
            others.add(document, number)
    in_order = [heldout[key] for key in sorted(heldout)]
    asking = [document for document in in_order if _has_parts(document)][:max_queries]
    chosen = {document.content_hash for document in asking}
    for number, document in enumerate(in_order):
        if document.content_hash not in chosen:
            others.add(document, -1 - number)
    others = others.limited(max_other_passages)
    tasks = [_task(part, asking, others) for part in PARTS]
    usable = [task for task in tasks if len(set(task.right.tolist())) > 1]
    if not usable:
        raise UserError(
            f"own-documents needs two held-out documents with two sentences each, or a title and a text, got"
            f" {len(heldout)} held-out documents without; give more documents"
        )
    return usable


def _has_parts(document: Document) -> bool:
    """Tell whether a document has a part for a query and a part to be found."""
    return bool(document.text and document.title) or len(list(islice(sentences(document.text), 2))) > 1


def _task(part: Part, asking: Sequence[Document], others: PassagesOf) -> DocumentQuestions:
    """Make queries of one part of each document; documents without such a part are candidates only."""
    queries: list[str] = []
    right: list[int] = []
    found = PassagesOf()
    num_sentences = max(1, min(_MOST_SENTENCES, -(-_WANTED_QUERIES // max(len(asking), 1))))
    for number, document in enumerate(asking):
        asked, rest = _split(part, document, num_sentences)
        is_usable = len(rest.text.split()) >= _MIN_WORDS or not rest.text.isascii()
        new = [query for query in dict.fromkeys(asked) if query not in rest.text] if is_usable else []
        queries += new
        right += [number] * len(new)
        found.add(rest if new else document, number)
    numbers = np.array([*found.documents, *others.documents], dtype=np.int64)
    return DocumentQuestions(
        name=part,
        queries=queries,
        right=np.array(right, dtype=np.int64),
        passages=[*found.texts, *others.texts],
        documents=numbers,
        names=others.names | found.names,
    )


def _split(part: Part, document: Document, num_sentences: int) -> tuple[list[str], Document]:
    """Split a document into the query and the rest; the query is empty where it has no such part."""
    if part == "title":
        return [document.title] if document.title and document.text else [], replace(document, title="")
    spans = [span for span in sentences(document.text) if not is_code(span, document)]
    if part == "first sentence":
        asked = spans[:1]
    else:
        by_hash = sorted(spans, key=lambda span: hash_of_text(document.text[slice(*span)]))
        asked = by_hash[: min(num_sentences, len(spans) // 2)]
    return [" ".join(document.text[slice(*span)].split()) for span in asked], without(document, asked)


def is_code(span: tuple[int, int], document: Document) -> bool:
    """Tell whether a span of a document touches a block of code."""
    return any(start < span[1] and span[0] < end for start, end in document.code_spans)


def without(document: Document, spans: Sequence[tuple[int, int]], *, keep_title: bool = True) -> Document:
    """Leave out some spans of a document, and perhaps its title.

    Differs from ``Document.prose``: headings, pages and lines are not carried over, since no suite reads them.
    """
    pieces: list[str] = []
    place = 0
    for start, end in sorted(spans):
        pieces.append(document.text[place:start])
        place = end
    text = "".join([*pieces, document.text[place:]]).strip()
    title = document.title if keep_title else ""
    return replace(document, title=title, text=text, headings=(), code_spans=(), page_starts=(), line_marks=())


def score_part(scorer: PassageScorer, task: DocumentQuestions, *, num_resamples: int = 1000, seed: int = 0) -> Score:
    """Score a model or a ranker on one part: nDCG@10, with recall@10 and how often the right document came first.

    Args:
        scorer: Scores passages.
        task: The part.
        num_resamples: Number of bootstrap resamples, over documents.
        seed: Random seed of the resampling.
    """
    return score_of_ranks(task, right_ranks(scorer, task), num_resamples=num_resamples, seed=seed)


def score_of_ranks(task: DocumentQuestions, ranks: Ranks, *, num_resamples: int = 1000, seed: int = 0) -> Score:
    """Score the ranks of the right documents; see ``score_part``.

    Args:
        task: The part.
        ranks: Rank of each query's right document, from 1.
        num_resamples: Number of bootstrap resamples, over documents.
        seed: Random seed of the resampling.
    """
    documents, place = np.unique(task.right, return_inverse=True)
    items = (np.bincount(place, weights=gains(ranks)) / np.bincount(place))[:, None]
    return Score(
        task=f"own-documents/{task.name}",
        metric=METRICS["ndcg@10"],
        value=float(items.mean()),
        ci95=bootstrap_interval(items, Mean(), num_resamples=num_resamples, seed=seed),
        num_items=len(documents),
        also={
            "recall@10": _per_document(ranks <= CUTOFF, place),
            "found_first": _per_document(ranks == 1, place),
            "num_queries": len(ranks),
        },
        items=items,
    )


def _per_document(hits: Bool[np.ndarray, " Q"], place: Int[np.ndarray, " Q"]) -> float:
    return float((np.bincount(place, weights=hits) / np.bincount(place)).mean())
