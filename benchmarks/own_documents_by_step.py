"""Put the suite `own-documents` beside STS-B dev along finished trainings, for `python -m tools.label_free`.

    selfsent train own-documents-curves --output results/own-documents-curves --set training.save_total_limit=99
    python -m benchmarks.own_documents_by_step results/own-documents-curves/*-seed* --documents DOCUMENTS

A run is a folder of a table that kept all its checkpoints. Each of them is asked; the values go into the run's file in
`runs/` of the table, beside what the training measured at that step. Passages are read up to 256 tokens, whatever the
training cut its sentences to.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from selfsent.atomic import write_text
from selfsent.documents.documents import open_documents
from selfsent.evaluation.bridges.own_documents_evaluator import METRIC, OwnDocumentsEvaluator
from selfsent.evaluation.tasks.own_documents import heldout_share, own_document_tasks
from selfsent.loading import load
from selfsent.runs.kept_runs import KEPT_FOLDER, portable

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


def with_measure(
    curve: Sequence[Mapping[str, Any]], checkpoints: Mapping[int, Path], measure: Callable[[Path], float]
) -> list[dict[str, Any]]:
    """Add a measure to the points of a curve of which there is a checkpoint.

    Args:
        curve: What was measured by ``step``.
        checkpoints: Folders by step.
        measure: Takes the folder of a checkpoint.
    """
    places = [checkpoints.get(point["step"]) for point in curve]
    return [
        dict(point) if place is None else {**point, METRIC: round(measure(place), 6)}
        for point, place in zip(curve, places, strict=True)
    ]


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

    def measure(checkpoint: Path) -> float:
        model = load(str(checkpoint), device="cpu")
        if model.max_seq_length is not None:
            model.max_seq_length = max(model.max_seq_length, _PASSAGE_TOKENS)
        metrics = evaluator(model)
        print(checkpoint.name, {name: round(100 * value, 2) for name, value in metrics.items()}, flush=True)
        return metrics[METRIC]

    for run in arguments.runs:
        kept = run.parent / KEPT_FOLDER / f"{run.name}.json"
        content = json.loads(kept.read_text("utf8"))
        begun = time.process_time()
        curve = with_measure(content["curve"], checkpoints_of(run), measure)
        documents = portable(os.path.abspath(arguments.documents))  # noqa: PTH100 links stay as they are
        write_text(
            kept, json.dumps({**content, "curve": curve, "own_documents_of": documents}, ensure_ascii=False) + "\n"
        )
        print(f"{run}: {time.process_time() - begun:.0f} s of processor", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
