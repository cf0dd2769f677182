"""Small evaluation folders in the documented layout, models whose embeddings are known, reports of no model."""

import io
import json
from pathlib import Path

import numpy as np
from rich.console import Console

from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.report import Report
from selfsent.evaluation.score import Score
from selfsent.evaluation.statistics import Spearman

STS_TASKS = ("STS12", "STS13", "STS14", "STS15", "STS16", "STSBenchmark", "SICK-R")


class Table:
    """Encodes by a table; unknown texts get vectors drawn by their own characters. Counts what it is asked."""

    def __init__(self, vectors: dict[str, list[float]] | None = None, dimension: int = 8) -> None:
        self.vectors = vectors or {}
        self.dimension = dimension
        self.asked: list[str] = []

    def encode(self, inputs, **kwargs):
        self.asked += inputs
        return np.array([self.vectors.get(text, self._drawn(text)) for text in inputs], dtype=np.float32)

    def _drawn(self, text: str) -> np.ndarray:
        return np.random.default_rng(list(text.encode())).normal(size=self.dimension)


class Other(Table):
    """As ``Table``, with other vectors."""

    def _drawn(self, text: str) -> np.ndarray:
        return super()._drawn(text + "!")


class Constant:
    """A collapsed model."""

    def __init__(self, value: float = 1.0) -> None:
        self.value = value

    def encode(self, inputs, **kwargs):
        return np.full((len(inputs), 4), self.value, dtype=np.float32)


def write_jsonl(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf8")
    return path


def write_tsv(path: Path, rows: list[list[str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf8")
    return path


def sts_rows(task: str, num_pairs: int = 12) -> list[dict]:
    return [
        {
            "sentence1": f"{task} first {i % 5}",
            "sentence2": f"{task} second {i}",
            "score": i % 4,
            "subset": "news" if i < 5 else "images",
        }
        for i in range(num_pairs)
    ]


def sts_folder(root: Path) -> Path:
    for task in STS_TASKS:
        write_jsonl(root / f"sts/{task}/test.jsonl", sts_rows(task))
    for task in ("STSBenchmark", "SICK-R"):
        write_jsonl(root / f"sts/{task}/dev.jsonl", sts_rows(f"{task} dev"))
    return root


def collection(folder: Path) -> Path:
    write_jsonl(
        folder / "corpus.jsonl",
        [
            {"_id": "d1", "title": "Engines", "text": "An engine turns heat into motion."},
            {"_id": "d2", "title": "", "text": "Apples grow on trees."},
            {"_id": "d3", "title": "Ships", "text": "A ship has an engine."},
        ],
    )
    write_jsonl(folder / "queries.jsonl", [{"_id": "q1", "text": "engine"}, {"_id": "q2", "text": "unjudged"}])
    write_tsv(folder / "qrels/test.tsv", [["query-id", "corpus-id", "score"], ["q1", "d1", "2"], ["q1", "d3", "1"]])
    return folder


def noisy_report(name: str, noise: float, num_items: int = 40) -> Report:
    """A report on STS-B whose similarities are the gold scores and noise, with two figures of geometry."""
    gold = np.linspace(0, 5, num_items)
    items = np.column_stack([gold + noise * np.random.default_rng(int(noise)).standard_normal(num_items), gold])
    score = Score(
        task="STSBenchmark",
        metric=METRICS["spearman"],
        value=Spearman()(items),
        ci95=(0.1, 0.9),
        num_items=num_items,
        items=items,
    )
    geometry = [
        Score(task=f"geometry/{metric}", metric=METRICS[metric], value=-noise, ci95=None, num_items=9)
        for metric in ("alignment", "uniformity")
    ]
    return Report(model=name, scores=(score, *geometry), dimension=8, versions={})


def printed(table) -> str:
    """What a wide terminal shows of a table."""
    written = io.StringIO()
    Console(width=200, file=written).print(table)
    return written.getvalue()
