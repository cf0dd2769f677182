"""Where a build spends its time: wall, processor and main thread's seconds a stage, and the peak of memory.

``python -m benchmarks.build_stages OUTPUT [--every 5]`` builds a search over every fifth docstring of the installed
packages. A stage's figures leave out the stages inside it. Threads count in the processor's seconds: on free cores a
stage takes about the main thread's seconds, and half of what is beyond them.
"""

import argparse
import functools
import importlib
import inspect
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

_STAGES = {
    "read": "document_build.building:read",
    "cut stretches": "methods.document_contrast:_Stretches.__init__",
    "read stretches": "methods.document_contrast:_Stretches.__iter__",
    "train tokenizer": "methods.document_contrast:open_or_train",
    "tokenize": "methods.document_contrast:write_token_corpus",
    "topics (SVD)": "methods.document_contrast:_Fit._start",
    "learn": "training.table_learner:TableLearner.learn_epoch",
    "save checkpoints": "training.fitting:Fitting.save",
    "questions": "evaluation.tasks.asking_documents:AskingDocuments.tasks",
    "BM25": "evaluation.bm25:BM25.passage_scores",
    "cosines": "evaluation.document_scores:CosineScores.passage_scores",
    "choose weight": "document_build.measuring:cut_curves",
    "cut passages": "search.passage_rows:PassageCutter.__call__",
    "encode passages": "search.indexing:encode_texts",
    "write rows": "search.store_writer:StoreWriter.add",
    "index words": "search.store_writer:StoreWriter._index_words",
    "index, rest": "document_build.building:index_documents",
    "read documents again": "documents.corpus_file:CorpusFile.__iter__",
    "answer queries": "search.semantic_search:SemanticSearch.search",
}


class _Clock:
    """Charges time to the innermost stage that runs; only the thread that made it enters stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self._running = ["everything else"]
        self._last = self._now()

    def _now(self) -> list[float]:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return [time.monotonic(), sum(one.ru_utime + one.ru_stime for one in used), time.thread_time()]

    def charge(self) -> None:
        now = self._now()
        spent = self.seconds.setdefault(self._running[-1], [0.0, 0.0, 0.0])
        self.seconds[self._running[-1]] = [sum(both) - last for *both, last in zip(spent, now, self._last, strict=True)]
        self._last = now

    def enter(self, stage: str) -> None:
        self.charge()
        self._running.append(stage)

    def leave(self) -> None:
        self.charge()
        self._running.pop()


def _timed(function: Callable[..., Any], stage: str, clock: _Clock) -> Callable[..., Any]:
    def resumed(found: Iterator[Any]) -> Iterator[Any]:
        while True:
            clock.enter(stage)
            try:
                value = next(found)
            except StopIteration:
                return
            finally:
                clock.leave()
            yield value

    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        if inspect.isgeneratorfunction(function):
            return resumed(function(*args, **options))
        clock.enter(stage)
        try:
            return function(*args, **options)
        finally:
            clock.leave()

    return run


def _watch(clock: _Clock) -> None:
    for stage, place in _STAGES.items():
        module, _, path = place.partition(":")
        owner: Any = importlib.import_module(f"selfsent.{module}")
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        setattr(owner, name, _timed(getattr(owner, name), stage, clock))


def main() -> None:
    """Build, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take one docstring of so many")
    arguments = parser.parse_args()
    clock = _Clock()
    from selfsent import demo  # noqa: PLC0415 importing is a stage
    from selfsent.documents import docstrings  # noqa: PLC0415

    clock.charge()
    clock.seconds["import"] = clock.seconds.pop("everything else")
    opened = docstrings.open_docstrings
    docstrings.open_docstrings = lambda: replace(all_of := opened(), docstrings=all_of.docstrings[:: arguments.every])
    _watch(clock)
    demo.run(arguments.output)
    clock.charge()
    print("| stage | wall, s | processor, s | main thread, s |\n| --- | ---: | ---: | ---: |")
    for stage, seconds in sorted(clock.seconds.items(), key=lambda item: -item[1][1]):
        print(f"| {stage} | {' | '.join(f'{one:.1f}' for one in seconds)} |")
    totals = [sum(column) for column in zip(*clock.seconds.values(), strict=True)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| all | {' | '.join(f'{one:.1f}' for one in totals)} |\n\npeak of memory: {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
