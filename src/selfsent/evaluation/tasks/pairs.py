"""Scoring models on a person's own labels: pairs of sentences with scores, or a collection with judged documents."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from selfsent.data.bad_rows import OnBadRow
from selfsent.data.source_files import expanded, readable_name
from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.evaluation.ranking import Ranker
from selfsent.evaluation.report import Report
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.suites import report_of
from selfsent.evaluation.tasks.geometry import evaluate_pairs
from selfsent.evaluation.tasks.rerank import bm25_lists, score_shortlists
from selfsent.evaluation.tasks.retrieval import Collection, read_collection, score_collection
from selfsent.evaluation.tasks.store_search import store_report
from selfsent.evaluation.tasks.sts import COLUMNS, ScoredPairs, score_tasks
from selfsent.search.store import Mode
from selfsent.search.store_place import is_store

_SUITES = {"--pairs": ("sts", "geometry"), "--qrels": ("retrieval", "rerank")}
"""The suites that run on a person's own labels; the first of each where none is named."""
_RECORDED = {"sts": "pairs", "retrieval": "qrels"}
"""What reports call these two where the labels are a person's own."""
_POSITIVE_SHARE = 0.8
"""Of the scale of a person's own scores: pairs above it are aligned ones (of STS, 4 of 0 to 5)."""

_LOG = logging.getLogger(__name__)


def evaluate_own_labels(
    models: Sequence[Encoder | Ranker | str | Path],
    *,
    pairs: str | Path | None = None,
    qrels: str | Path | None = None,
    options: SuiteOptions | None = None,
    device: str | None = None,
    on_bad_row: OnBadRow = "stop",
    mode: Mode = "hybrid",
    suites: Sequence[str] = (),
) -> list[Report]:
    """Score models on labels of one's own; ``paired_differences`` then tells whether one is better.

    Args:
        models: Models, or paths or hub names of them; with ``qrels`` also stores, whose whole search is scored.
        pairs: A file with ``sentence1, sentence2, score`` in any format of the package; higher is more alike.
        qrels: A folder of the BEIR layout: ``corpus.jsonl``, which stores do not need, ``queries.jsonl`` and
            ``qrels/test.tsv``.
        options: The settings of the protocol.
        device: Where to put models given by their path.
        on_bad_row: ``stop`` at the first pair that cannot be used, or ``skip`` and count such pairs.
        mode: How stores are searched.
        suites: Names of suites, in the protocol of each: of ``pairs`` the rank correlation (``sts``) and the
            ``geometry`` of the embeddings, whose aligned pairs are those above four fifths of the scale; of ``qrels``
            ``retrieval``, and ``rerank`` of what BM25 finds. Default: ``sts`` and ``retrieval``.

    Returns:
        One report a model, in order.

    Raises:
        UserError: Neither labels nor a model were named, a file is wrong, or the embeddings are.
    """
    if (pairs is None and qrels is None) or not models:
        raise UserError("nothing to score; name at least one model and --pairs FILE or --qrels DIR")
    options = options or SuiteOptions()
    chosen = _suites_of_own_labels(suites, pairs=pairs, qrels=qrels)
    own_pairs = None if pairs is None else read_own_pairs(pairs, on_bad_row=on_bad_row)
    are_stores = all(isinstance(model, str | Path) and is_store(model) for model in models)
    collection = None
    if qrels is not None:
        collection = read_collection(_folder(qrels), options.split, needs_corpus=not are_stores)

    def scorings(model: Encoder | Ranker) -> dict[str, Callable[[], list[Score]]]:
        found = _scorings(model, own_pairs, collection, options)
        return {_RECORDED.get(name, name): scoring for name, scoring in found.items() if name in chosen}

    def report(model: Encoder | Ranker | str | Path) -> Report:
        if collection is not None and isinstance(model, str | Path) and is_store(model):
            if chosen != ["retrieval"]:
                raise UserError(f"a store is scored by the suite retrieval, got {', '.join(chosen)}; name models")
            return store_report(model, collection, options, mode=mode, device=device)
        return report_of(model, scorings, options=options, data="own labels", device=device)

    return [report(model) for model in models]


def _scorings(
    model: Encoder | Ranker, pairs: ScoredPairs | None, collection: Collection | None, options: SuiteOptions
) -> dict[str, Callable[[], list[Score]]]:
    found: dict[str, Callable[[], list[Score]]] = {}
    if pairs is not None and not isinstance(model, Ranker):
        above = float(pairs.gold.min() + _POSITIVE_SHARE * np.ptp(pairs.gold))
        found["sts"] = lambda: score_tasks(model, [pairs], options)
        found["geometry"] = lambda: evaluate_pairs(model, pairs, options, positive_above=above)
    if collection is not None:
        found["retrieval"] = lambda: [score_collection(model, collection, options)]
        found["rerank"] = lambda: [score_shortlists(model, bm25_lists(collection), options)]
    return found


def _suites_of_own_labels(suites: Sequence[str], *, pairs: str | Path | None, qrels: str | Path | None) -> list[str]:
    """The suites to run, each of which has the labels it needs.

    Raises:
        UserError: A suite takes no labels of one's own, or other ones.
    """
    labels = {"--pairs": pairs, "--qrels": qrels}
    if not suites:
        return [names[0] for option, names in _SUITES.items() if labels[option] is not None]
    for suite in suites:
        needed = [option for option, names in _SUITES.items() if suite in names]
        if not needed or labels[needed[0]] is None:
            listed = "; ".join(f"with {option} {', '.join(names)}" for option, names in _SUITES.items())
            raise UserError(f"the suite {suite} cannot be run on these labels; there are {listed}")
    return list(suites)


def _folder(qrels: str | Path) -> Path:
    folder = expanded(qrels)
    if folder.is_dir():
        return folder
    raise UserError(
        f"--qrels {qrels} must be a folder with queries.jsonl (_id, text), qrels/test.tsv (query-id, corpus-id, score)"
        " and, unless a store is scored, corpus.jsonl (_id, title, text); check the path"
    )


def read_own_pairs(path: str | Path, *, on_bad_row: OnBadRow = "stop") -> ScoredPairs:
    """Read pairs of sentences with the similarity a person gave them, on any scale.

    Args:
        path: A file in any format of the package with the columns ``sentence1, sentence2, score``.
        on_bad_row: ``stop`` at the first pair that cannot be used, or ``skip`` and count such pairs.

    Returns:
        The pairs, named after the file.

    Raises:
        UserError: The file is missing or malformed, lacks a column, or holds fewer than three pairs.
    """
    source = open_source(path, columns=COLUMNS, on_bad_row=on_bad_row)
    rows = list(source)
    for note in source.closing_notes():
        _LOG.info(note)
    if len(rows) < 3:  # noqa: PLR2004 two pairs always correlate perfectly
        raise UserError(f"{path} holds {len(rows)} pairs; a correlation needs three at least")
    return ScoredPairs(
        name=readable_name(Path(Path(path).name)).partition(".")[0],
        sentences1=[str(row["sentence1"]) for row in rows],
        sentences2=[str(row["sentence2"]) for row in rows],
        gold=np.array([float(row["score"]) for row in rows]),
    )
