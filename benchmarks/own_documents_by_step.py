"""Put the suite `own-documents` beside STS-B dev along finished trainings, for `python -m tools.label_free`.

    selfsent train own-documents-curves --output results/own-documents-curves --set training.save_total_limit=99
    python -m benchmarks.own_documents_by_step results/own-documents-curves/*-seed* --documents DOCUMENTS

A run is a folder of a table that kept all its checkpoints. Each of them is asked: how well a part of a document finds
the rest, and how near the two are (alignment, Wang and Isola 2020). The values go into the run's file in `runs/` of the
table, beside what the training measured at that step; what a step has already is not measured again. Passages are
read up to 256 tokens, whatever the training cut its sentences to.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from selfsent.atomic import write_text
from selfsent.documents.documents import open_documents
from selfsent.evaluation.bridges.own_documents_evaluator import METRIC, OwnDocumentsEvaluator
from selfsent.evaluation.document_scores import CosineScores, DocumentQuestions, PassageScorer, document_scores
from selfsent.evaluation.tasks.own_documents import heldout_share, own_document_tasks
from selfsent.loading import load
from selfsent.runs.kept_runs import KEPT_FOLDER, portable

ALIGNMENT = "alignment_of_parts"
_PASSAGE_TOKENS = 256
_MOST_QUERIES = 300
_MOST_OTHER_PASSAGES = 2000


def evaluator_of(documents: str) -> OwnDocumentsEvaluator:
    """Make the questions of a collection: parts of held-out documents look for the rest among its passages."""
    found = open_documents(documents)
    tasks = own_document_tasks(
        found,
        share=heldout_share(sum(1 for _ in found)),
        max_queries=_MOST_QUERIES,
        max_other_passages=_MOST_OTHER_PASSAGES,
    )
    return OwnDocumentsEvaluator(tasks)


def parts_alignment(scorer: PassageScorer, tasks: Sequence[DocumentQuestions]) -> float:
    """Average the squared distance of a part and the nearest passage of its document, on the unit sphere.

    Args:
        scorer: Gives cosines.
        tasks: Parts, and the passages of the documents without them.

    Returns:
        Mean over parts, then over tasks, between 0 and 4.
    """
    means: list[float] = []
    for task in tasks:
        own = np.flatnonzero(np.isin(task.documents, task.right)).tolist()
        alone = replace(task, passages=[task.passages[place] for place in own], documents=task.documents[own])
        cosines = np.concatenate(list(document_scores(scorer, alone)))
        means.append(float(2 - 2 * cosines[np.arange(len(cosines)), alone.right_columns].mean()))
    return sum(means) / len(means)


def with_measures(
    curve: Sequence[Mapping[str, Any]], checkpoints: Mapping[int, Path], measures: Mapping[str, Callable[[Path], float]]
) -> list[dict[str, Any]]:
    """Add what the points of a curve lack, where there is a checkpoint.

    Args:
        curve: What was measured by ``step``.
        checkpoints: Folders by step.
        measures: By name; each takes the folder of a checkpoint.
    """
    points = [dict(point) for point in curve]
    for point in points:
        if place := checkpoints.get(point["step"]):
            point.update({name: round(of(place), 6) for name, of in measures.items() if name not in point})
    return points


def checkpoints_of(run: Path) -> dict[int, Path]:
    """Folders of the checkpoints of a run, by step."""
    return {int(path.name.rpartition("-")[2]): path for path in sorted(run.glob("checkpoints/checkpoint-*"))}


def main() -> int:
    """Measure the checkpoints of the runs that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--documents", required=True, help="a collection, as selfsent build takes one")
    arguments = parser.parse_args()
    evaluator = evaluator_of(arguments.documents)

    @lru_cache(maxsize=1)
    def opened(checkpoint: Path) -> SentenceTransformer:
        model = load(str(checkpoint), device="cpu")
        if model.max_seq_length is not None:
            model.max_seq_length = max(model.max_seq_length, _PASSAGE_TOKENS)
        return model

    def found(checkpoint: Path) -> float:
        metrics = evaluator(opened(checkpoint))
        print(checkpoint.name, {name: round(100 * value, 2) for name, value in metrics.items()}, flush=True)
        return metrics[METRIC]

    def near(checkpoint: Path) -> float:
        value = parts_alignment(CosineScores(opened(checkpoint)), evaluator.tasks)
        print(checkpoint.name, {ALIGNMENT: round(value, 4)}, flush=True)
        return value

    for run in arguments.runs:
        kept = run.parent / KEPT_FOLDER / f"{run.name}.json"
        content = json.loads(kept.read_text("utf8"))
        begun = time.process_time()
        curve = with_measures(content["curve"], checkpoints_of(run), {METRIC: found, ALIGNMENT: near})
        documents = portable(os.path.abspath(arguments.documents))  # noqa: PTH100 links stay as they are
        write_text(
            kept, json.dumps({**content, "curve": curve, "own_documents_of": documents}, ensure_ascii=False) + "\n"
        )
        print(f"{run}: {time.process_time() - begun:.0f} s of processor", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
