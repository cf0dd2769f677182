import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from selfsent.errors import UserError
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks import geometry
from selfsent.evaluation.vector_space import alignment, uniformity

OPTIONS = SuiteOptions(num_resamples=50)


def write_pairs(folder: Path, sentences: list[str], *, highest: float = 5.0) -> list[tuple[str, str, float]]:
    pairs = [
        (one, other, highest if i % 2 == 0 else 1.0 + i / 20) for i, (one, other) in enumerate(pairwise(sentences))
    ]
    (folder / "sts/STSBenchmark").mkdir(parents=True)
    rows = [{"sentence1": one, "sentence2": other, "score": score} for one, other, score in pairs]
    (folder / "sts/STSBenchmark/test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return pairs


def test_the_suite_gives_six_figures_with_intervals(
    tiny_static_model: SentenceTransformer, sentences: list[str], tmp_path: Path
):
    pairs = write_pairs(tmp_path, sentences)
    scores = {score.metric.name: score for score in geometry.evaluate(tiny_static_model, tmp_path, OPTIONS)}
    assert list(scores) == [
        "alignment",
        "uniformity",
        "anisotropy",
        "effective_rank",
        "frequency_bias",
        "length_bias",
    ]
    positive = [(one, other) for one, other, score in pairs if score > 4]
    u, v = (tiny_static_model.encode([pair[side] for pair in positive]) for side in (0, 1))
    assert scores["alignment"].value == pytest.approx(alignment(u, v), rel=1e-5)
    assert scores["alignment"].num_items == len(positive)
    assert scores["uniformity"].value == pytest.approx(uniformity(tiny_static_model.encode(sentences)), rel=1e-5)
    for score in scores.values():
        assert score.ci95 is not None
        assert score.ci95[0] <= score.value <= score.ci95[1]


def test_no_pair_above_four_is_an_error(tiny_static_model: SentenceTransformer, sentences: list[str], tmp_path: Path):
    write_pairs(tmp_path, sentences, highest=3.5)
    with pytest.raises(UserError, match="no pair is scored above 4"):
        geometry.evaluate(tiny_static_model, tmp_path, OPTIONS)


def test_a_missing_file_is_named(tiny_static_model: SentenceTransformer, tmp_path: Path):
    with pytest.raises(UserError, match=r"sts/STSBenchmark/test\.jsonl"):
        geometry.evaluate(tiny_static_model, tmp_path, OPTIONS)


def test_nan_embeddings_are_named(sentences: list[str], tmp_path: Path):
    class Broken:
        def encode(self, inputs, **kwargs):
            return np.full((len(inputs), 3), np.nan)

    write_pairs(tmp_path, sentences)
    with pytest.raises(UserError, match="NaN"):
        geometry.evaluate(Broken(), tmp_path, OPTIONS)
