"""The stage of a build that measures: how well parts of documents find the rest, by every system, without labels."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer

from selfsent.documents.corpus_file import CorpusFile
from selfsent.errors import UserError
from selfsent.evaluation.baselines import averaged_table
from selfsent.evaluation.bm25 import BM25
from selfsent.evaluation.document_scores import (
    CosineScores,
    DocumentQuestions,
    PassageScorer,
    Ranks,
    ranks_of,
    right_ranks,
)
from selfsent.evaluation.fusion_weight import TwoScores, choose_weight, hybrid_ranks, two_scores
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import remembering
from selfsent.evaluation.statistics import paired_bootstrap
from selfsent.evaluation.tasks.asking_documents import AskingDocuments
from selfsent.evaluation.tasks.own_documents import (
    PARTS,
    Candidates,
    heldout_share,
    own_document_tasks,
    score_of_ranks,
)
from selfsent.search.fusion import DEFAULT_WEIGHT

_ASKED_BY = "first sentence"
_MOST_QUERIES = 700
_MOST_OTHER_PASSAGES = 4000  # among very many, copies of a part decide more than the weight does
_NUM_EXAMPLES = 6
_NUM_HITS = 3
_FAR = 10


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured.

    Args:
        weight: Weight of the cosines in hybrid search.
        scores: By part and system.
        differences: Paired differences of hybrid search and of the model from the other systems.
        examples: Queries on which hybrid search and BM25 disagree.
        num_queries: Queries of the part that the table shows.
        num_heldout: Documents with a query.
    """

    weight: float
    scores: Mapping[str, Mapping[str, Score]]
    differences: Sequence[Mapping[str, Any]]
    examples: Sequence[Mapping[str, Any]]
    num_queries: int
    num_heldout: int

    @property
    def asked_by(self) -> str:
        """The part that the table shows: the first sentence, or else the first part that there is."""
        return _ASKED_BY if _ASKED_BY in self.scores else next(iter(self.scores))


def chosen_weight(model: SentenceTransformer, learned: CorpusFile, *, batch_size: int = 64) -> float:
    """Choose the weight of hybrid search by parts not learned from; 0.5 where no document has such parts.

    Args:
        model: The model, trained with ``training.best=own-documents`` on ``learned``.
        learned: The documents that it learned from, without the parts that are queries.
        batch_size: Texts encoded at once.
    """
    asking = AskingDocuments(learned, len(learned))
    try:
        questions = asking.tasks(max_queries=_MOST_QUERIES, max_other_passages=_MOST_OTHER_PASSAGES)
    except UserError:
        return DEFAULT_WEIGHT
    scorer = CosineScores(model, batch_size=batch_size)
    with remembering():
        return choose_weight([(one, list(two_scores(BM25(), scorer, one))) for one in questions])


def measure(
    model: SentenceTransformer,
    documents: CorpusFile,
    *,
    weight: float,
    candidates: Candidates,
    topics: SentenceTransformer | None,
    untrained: SentenceTransformer | None,
) -> Measured:
    """Measure hybrid search, the model, and the baselines.

    Args:
        model: The model, which has not seen the held-out documents where it was trained here.
        documents: All documents.
        weight: Weight of the cosines.
        candidates: The documents among which the right one must be found.
        topics: The counted start of the training.
        untrained: The model before anything was learned here; ``None`` where nothing was.

    Raises:
        UserError: Too few documents have two parts.
    """
    tasks = own_document_tasks(documents, share=heldout_share(len(documents)), candidates=candidates)
    systems: dict[str, PassageScorer] = {}
    if topics is not None:
        systems["topics"] = CosineScores(topics)
    if untrained is not None:
        systems["untrained"] = CosineScores(untrained)
        if (averaged := averaged_table(model)) is not None:
            systems["averaged"] = CosineScores(averaged)
    scores: dict[str, dict[str, Score]] = {}
    examples: list[dict[str, Any]] = []
    with remembering():
        for task in tasks:
            both = list(two_scores(BM25(), CosineScores(model), task))
            ranks = _ranks(both, task, weight) | {name: right_ranks(one, task) for name, one in systems.items()}
            ordered = _ordered(ranks).items()
            scores[task.name] = {name: score_of_ranks(task, found) for name, found in ordered}
            if task.name == _ASKED_BY or not examples:
                examples = _examples(both, task, ranks, weight)
    shown = scores.get(_ASKED_BY) or next(iter(scores.values()))
    return Measured(
        weight=weight,
        scores={part: scores[part] for part in PARTS if part in scores},
        differences=_differences(shown),
        examples=examples,
        num_queries=int(shown["hybrid"].also["num_queries"]),
        num_heldout=shown["hybrid"].num_items,
    )


def _ranks(both: Sequence[TwoScores], task: DocumentQuestions, weight: float) -> dict[str, Ranks]:
    return {
        "hybrid": hybrid_ranks(both, task, weight),
        "trained": ranks_of((one.cosines for one in both), task),
        "bm25": ranks_of((one.words for one in both), task),
    }


def _ordered(ranks: Mapping[str, Ranks]) -> dict[str, Ranks]:
    order = ("hybrid", "trained", "topics", "untrained", "averaged", "bm25")
    return {name: ranks[name] for name in order if name in ranks}


def _differences(scores: Mapping[str, Score]) -> list[dict[str, Any]]:
    pairs = [("hybrid", other) for other in scores if other != "hybrid"]
    pairs += [("trained", other) for other in scores if other not in ("hybrid", "trained")]
    found: list[dict[str, Any]] = []
    for one, other in pairs:
        items, others, statistic = scores[one].items, scores[other].items, scores[one].metric.statistic
        assert items is not None and others is not None and statistic is not None, "scores of ranks have items"  # noqa: S101, PT018
        paired = paired_bootstrap(items, others, statistic)
        interval = paired.ci95 and list(paired.ci95)
        found.append({"of": one, "over": other, "difference": paired.difference, "ci95": interval})
    return found


def _examples(
    both: Sequence[TwoScores],
    task: DocumentQuestions,
    ranks: Mapping[str, Ranks],
    weight: float,
) -> list[dict[str, Any]]:
    """Queries that one finds first and the other not among its ten best, in both directions."""
    hybrid, words = ranks["hybrid"], ranks["bm25"]
    won = np.flatnonzero((hybrid == 1) & (words > _FAR))
    lost = np.flatnonzero((words == 1) & (hybrid > _FAR))
    half = _NUM_EXAMPLES // 2
    most_won, most_lost = max(half, _NUM_EXAMPLES - len(lost)), max(half, _NUM_EXAMPLES - len(won))
    chosen = [*won[:most_won], *lost[:most_lost]][:_NUM_EXAMPLES]
    if not chosen:
        return []
    by_meaning = np.concatenate([one.hybrid(weight) for one in both])
    by_words = np.concatenate([one.words for one in both])
    return [
        {
            "query": task.queries[place],
            "right": task.names[int(task.right[place])][0],
            "hybrid": _hits(by_meaning[place], task),
            "bm25": _hits(by_words[place], task),
        }
        for place in chosen
    ]


def _hits(scores: Float[np.ndarray, " D"], task: DocumentQuestions) -> list[dict[str, str]]:
    """Id, title and first passage of the best documents."""
    numbers, first = np.unique(task.documents, return_index=True)
    best = np.argsort(-scores, kind="stable")[:_NUM_HITS]
    found = ((task.names[int(numbers[place])], task.passages[int(first[place])]) for place in best)
    return [{"document": name, "title": title, "text": text} for (name, title), text in found]


def as_json(score: Score) -> dict[str, Any]:
    """What the report holds of a score."""
    return {
        "ndcg@10": score.value,
        "recall@10": score.also["recall@10"],
        "found_first": score.also["found_first"],
        "ci95": score.ci95 and list(score.ci95),
    }


def with_table(model: SentenceTransformer, table: Float[np.ndarray, "V D"]) -> SentenceTransformer:
    """Copy a model and give it another embedding table."""
    other = copy.deepcopy(model)
    embedding: Any = other[0].embedding
    with torch.no_grad():
        embedding.weight.copy_(torch.from_numpy(table))
    return other
