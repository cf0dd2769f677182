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
from selfsent.evaluation.fusion_weight import (
    Curve,
    HybridCandidates,
    best_weights,
    gains_by_weight,
    hybrid_ranks,
    two_scores,
)
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
_WEIGHED_BY = ("first sentence", "random sentence")
"""Parts of held-out documents that choose the weight; titles mislead (docs/experiments.md)."""
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


def cut_curves(model: SentenceTransformer, learned: CorpusFile, *, batch_size: int = 64) -> list[Curve]:
    """Measure every weight of hybrid search by parts cut out of the documents; none where no document has such parts.

    Args:
        model: The model, trained with ``training.best=own-documents`` on ``learned``.
        learned: The documents that it learned from, without the parts that are queries.
        batch_size: Texts encoded at once.
    """
    asking = AskingDocuments(learned, len(learned))
    try:
        tasks = asking.tasks(max_queries=_MOST_QUERIES, max_other_passages=_MOST_OTHER_PASSAGES)
    except UserError:
        return []
    scorer = CosineScores(model, batch_size=batch_size)
    with remembering():
        found = ((task, [one.candidates() for one in two_scores(BM25(), scorer, task)]) for task in tasks)
        return [gains_by_weight(candidates, task).mean(axis=1) for task, candidates in found]


def weight_of(cut: Sequence[Curve], heldout: Sequence[Curve] = ()) -> float:
    """Choose the weight of hybrid search by parts of documents; 0.5 where there are none.

    Parts cut out of documents that are there say what answers questions about them, parts of held-out documents what
    answers questions about those that come later. Either alone is wrong on some collections (docs/experiments.md), so
    both count alike, and the middle of the weights that are as good as the best is taken. Where only parts cut out are
    there, it is the lowest of those: the model has learned from the documents they come from, which flatters it.

    Args:
        cut: By parts cut out before learning.
        heldout: By sentences of documents that were held out.
    """
    if not len(cut) and not len(heldout):
        return DEFAULT_WEIGHT
    best = best_weights([cut, heldout])
    return best[len(best) // 2] if len(heldout) else best[0]


def measure(
    model: SentenceTransformer,
    documents: CorpusFile,
    *,
    cut: Sequence[Curve],
    candidates: Candidates,
    topics: SentenceTransformer | None,
    untrained: SentenceTransformer | None,
) -> Measured:
    """Choose the weight of hybrid search, and measure it, the model, and the baselines.

    The weight that ranks a held-out document was chosen without it: by parts cut out, and by the other half of the
    held-out documents. The weight of the store is chosen by all.

    Args:
        model: The model, which has not seen the held-out documents where it was trained here.
        documents: All documents.
        cut: nDCG@10 by weight, of parts cut out (`cut_curves`).
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
    ranks: dict[str, dict[str, Ranks]] = {}
    ranked: dict[str, list[HybridCandidates]] = {}
    with remembering():
        for task in tasks:
            both = list(two_scores(BM25(), CosineScores(model), task))
            ranked[task.name] = [one.candidates() for one in both]
            ranks[task.name] = {
                "trained": ranks_of((one.cosines for one in both), task),
                "bm25": ranks_of((one.words for one in both), task),
            }
            ranks[task.name] |= {name: right_ranks(one, task) for name, one in systems.items()}
    weight = _add_hybrid(ranks, tasks, ranked, cut)
    scores = {
        task.name: {name: score_of_ranks(task, found) for name, found in _ordered(ranks[task.name]).items()}
        for task in tasks
    }
    shown = next((task for task in tasks if task.name == _ASKED_BY), tasks[0])
    return Measured(
        weight=weight,
        scores={part: scores[part] for part in PARTS if part in scores},
        differences=_differences(scores[shown.name]),
        examples=_examples(ranked[shown.name], shown, ranks[shown.name]["bm25"], weight),
        num_queries=int(scores[shown.name]["hybrid"].also["num_queries"]),
        num_heldout=scores[shown.name]["hybrid"].num_items,
    )


def _add_hybrid(
    ranks: Mapping[str, dict[str, Ranks]],
    tasks: Sequence[DocumentQuestions],
    ranked: Mapping[str, Sequence[HybridCandidates]],
    cut: Sequence[Curve],
) -> float:
    """Add the ranks of hybrid search, each half of the documents by the weight of the other half; give that of all."""
    asked = {task.name: gains_by_weight(ranked[task.name], task) for task in tasks if task.name in _WEIGHED_BY}
    in_half = {task.name: task.right % 2 == 1 for task in tasks}
    weights: list[float] = []
    for of_half in (False, True):
        others = [found[:, in_half[name] != of_half] for name, found in asked.items()]
        weights.append(weight_of(cut, [found.mean(axis=1) for found in others if found.shape[1]]))
    for task in tasks:
        first, second = (hybrid_ranks(ranked[task.name], task, weight) for weight in weights)
        ranks[task.name]["hybrid"] = np.where(in_half[task.name], second, first)
    return weight_of(cut, [found.mean(axis=1) for found in asked.values()])


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
    ranked: Sequence[HybridCandidates], task: DocumentQuestions, words: Ranks, weight: float
) -> list[dict[str, Any]]:
    """Queries that one finds first and the other not among its ten best, in both directions."""
    hybrid = hybrid_ranks(ranked, task, weight)
    won = np.flatnonzero((hybrid == 1) & (words > _FAR))
    lost = np.flatnonzero((words == 1) & (hybrid > _FAR))
    half = _NUM_EXAMPLES // 2
    most_won, most_lost = max(half, _NUM_EXAMPLES - len(lost)), max(half, _NUM_EXAMPLES - len(won))
    chosen = [*won[:most_won], *lost[:most_lost]][:_NUM_EXAMPLES]
    block_of = np.repeat(np.arange(len(ranked)), [len(one.words) for one in ranked])
    row_of = np.concatenate([np.arange(len(one.words)) for one in ranked])
    return [
        {
            "query": task.queries[place],
            "right": task.names[int(task.right[place])][0],
            "hybrid": _hits(ranked[int(block_of[place])], int(row_of[place]), task, weight),
            "bm25": _hits(ranked[int(block_of[place])], int(row_of[place]), task, 0.0),
        }
        for place in chosen
    ]


def _hits(ranked: HybridCandidates, row: int, task: DocumentQuestions, weight: float) -> list[dict[str, str]]:
    """Id, title and first passage of a query's best documents."""
    numbers, first = np.unique(task.documents, return_index=True)
    order = np.argsort(-ranked.hybrid(weight)[row], kind="stable")[:_NUM_HITS]
    places = [place for place in ranked.documents[row][order] if place >= 0]
    found = ((task.names[int(numbers[place])], task.passages[int(first[place])]) for place in places)
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
