"""Write ``results/evaluation``: the full report of each model named, and a page and a table that compare them.

    SELFSENT_DATA=DIR python -m benchmarks.evaluation_report MODEL... [--suites A,B] [--max-seq-length 64] [--table]

Models are folders. A report is written after each group of suites, and a suite that it has already is not run again;
the page is drawn of all reports that are there.
"""

import argparse
import math
import os
from dataclasses import replace
from pathlib import Path

from sentence_transformers import SentenceTransformer

from selfsent.evaluation.baselines import averaged_table
from selfsent.evaluation.comparison.compare import compare
from selfsent.evaluation.comparison.compare_page import save
from selfsent.evaluation.report import Report, load_report
from selfsent.evaluation.sentence_vectors import TreeModel
from selfsent.evaluation.suites import evaluate
from selfsent.loading import load, model_content_hash

OUTPUT = Path("results/evaluation")
GROUPS = ("structure", "sts,lexical,geometry", "retrieval,rerank", "bitext", "probe", "sts-multilingual")
"""Suites in the order they are run; those of one group share texts, and each text is encoded once.

``docs`` is not among them: its figures depend on which packages are installed."""


def merged(earlier: Report | None, later: Report) -> Report:
    """Put the scores of two reports on one model together."""
    if earlier is None:
        return later
    seconds = {**earlier.seconds, **later.seconds}
    return replace(
        later,
        scores=(*earlier.scores, *later.scores),
        seconds=seconds,
        settings={**later.settings, "suites": list(seconds)},
    )


def longest(model: SentenceTransformer) -> int | None:
    """Tokens that a text is cut to; ``None`` for a model without a limit."""
    limit = model.max_seq_length
    return int(limit) if limit is not None and math.isfinite(limit) else None


def report_on(model: SentenceTransformer, path: Path, suites: set[str], model_hash: str | None) -> None:
    """Score one model on every suite that applies to it, writing what there is after each group."""
    report = load_report(path) if path.exists() else None
    chosen = suites if isinstance(model[0], TreeModel) else suites - {"structure"}
    chosen = chosen - set(report.seconds if report else ())
    for group in GROUPS:
        names = [suite for suite in group.split(",") if suite in chosen]
        if names:
            found = evaluate(model, names, os.environ["SELFSENT_DATA"], name=path.stem)
            settings = {**found.settings, "max_seq_length": longest(model)}
            report = merged(report, replace(found, settings=settings, model_hash=model_hash))
            report.save(path)
            print(f"{path}: {', '.join(f'{name} {found.seconds[name]:.0f} s' for name in names)}", flush=True)


def draw_comparison() -> None:
    """Compare all reports that are there, as a page and as Markdown."""
    paths = sorted(OUTPUT.glob("*.json"), key=lambda path: path.stem)
    if len(paths) > 1:
        comparison = compare(paths)
        for name in ("compare.html", "compare.md"):
            save(comparison, OUTPUT / name)


def main() -> None:
    """Evaluate what is named, then compare all there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, help="model folders")
    parser.add_argument("--suites", default=",".join(GROUPS), help="suites, with commas between them")
    parser.add_argument("--max-seq-length", type=int, help="cut texts to this many tokens")
    parser.add_argument("--table", action="store_true", help="the average of the model's input embeddings instead")
    arguments = parser.parse_args()
    suites = set(arguments.suites.split(","))
    if unknown := suites - set(",".join(GROUPS).split(",")):
        parser.error(f"no suite of a report: {', '.join(sorted(unknown))}; they are {','.join(GROUPS)}")
    for folder in arguments.models:
        model = load(folder, device="cpu")
        if arguments.max_seq_length:
            model.max_seq_length = arguments.max_seq_length
        model_hash = None if arguments.table else model_content_hash(folder)
        model = (averaged_table(model) if arguments.table else model) or model
        name = folder.resolve().name + ("-table" if arguments.table else "")
        report_on(model, OUTPUT / f"{name}.json", suites, model_hash)
    draw_comparison()


if __name__ == "__main__":
    main()
