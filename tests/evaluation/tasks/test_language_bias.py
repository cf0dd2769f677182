"""Language bias: pools worked out by hand, models with and without bias, and mixtures of STS."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from tests.evaluation.evaluation_data import Table, write_jsonl, write_tsv

from selfsent.errors import UserError
from selfsent.evaluation import evaluate
from selfsent.evaluation.tasks.language_bias import score_bias


def test_a_sentence_is_biased_if_its_language_beats_its_translation():
    sources = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    targets = np.array([[0.5, 0.4], [0.6, 0.8], [-0.3, 1.0]])
    score = score_bias(sources, targets, task="toy")
    rows = np.vstack([sources, targets])
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    biased, confused, within, across = [], [], [], []
    for index in range(6):
        language, number = divmod(index, 3)
        own = rows[index] @ rows[(1 - language) * 3 + number]
        same = [rows[index] @ rows[language * 3 + j] for j in range(3) if j != number]
        other = [rows[index] @ rows[(1 - language) * 3 + j] for j in range(3) if j != number]
        biased.append(max(same) > own)
        confused.append(max(other) > own)
        within += same
        across += other
    assert score.value == pytest.approx(np.mean(biased))
    assert score.also["other_language_first"] == pytest.approx(np.mean(confused))
    assert score.also["cosine_gap"] == pytest.approx(np.mean(within) - np.mean(across))
    assert score.value != score.also["other_language_first"]


def test_a_shift_by_language_is_a_bias_and_none_is_none():
    rng = np.random.default_rng(0)
    meaning = rng.normal(size=(50, 20))
    noise = rng.normal(size=(2, 50, 20)) / 10
    shift = np.zeros(20)
    shift[0] = 20
    fair = score_bias(meaning + noise[0], meaning + noise[1], task="fair")
    biased = score_bias(meaning + noise[0] + shift, meaning + noise[1] - shift, task="biased")
    assert (fair.value, biased.value) == (0, 1)
    assert abs(float(fair.also["cosine_gap"])) < 0.02
    assert float(biased.also["cosine_gap"]) > 1


def rows(language: str) -> list[dict]:
    return [{"sentence1": f"{language} a{i % 7}", "sentence2": f"{language} b{i}", "score": i % 5} for i in range(20)]


def test_a_mixture_of_languages_is_compared_with_its_parts(tmp_path):
    write_jsonl(tmp_path / "sts/STSBenchmark/test.jsonl", rows("en"))
    write_jsonl(tmp_path / "sts/STSBenchmarkMultilingual/de-test.jsonl", rows("de"))
    model = Table()
    (score,) = evaluate(model, "language-bias", tmp_path).scores
    assert score.task == "language-bias/STSBenchmarkMultilingual"
    predicted, gold = [], []
    for one, other in (("en", "en"), ("de", "de"), ("en", "de")):
        vectors = [
            model.encode([row[name] for row in rows(language)])
            for name, language in (("sentence1", one), ("sentence2", other))
        ]
        products = (vectors[0] * vectors[1]).sum(axis=1)
        predicted.append(products / np.linalg.norm(vectors[0], axis=1) / np.linalg.norm(vectors[1], axis=1))
        gold.append([row["score"] for row in rows("en")])
    apart = np.mean([spearmanr(p, g).statistic for p, g in zip(predicted, gold, strict=True)])
    together = spearmanr(np.concatenate(predicted), np.concatenate(gold)).statistic
    assert score.value == pytest.approx(apart - together, abs=1e-6)


def test_bitexts_are_scored_by_name(tmp_path):
    lines = [[f"{language} {i}" for language in ("en", "de", "fr")] for i in range(5)]
    write_tsv(tmp_path / "parallel/toy/test.tsv", [["en", "de", "fr"], *lines])
    tasks = [score.task for score in evaluate(Table(), "language-bias", tmp_path).scores]
    assert tasks == ["language-bias/toy/en-de", "language-bias/toy/en-fr"]


def test_no_data_names_what_is_needed(tmp_path):
    with pytest.raises(UserError, match="no bitext in"):
        evaluate(Table(), "language-bias", tmp_path)
    with pytest.raises(UserError, match="--data-dir"):
        evaluate(Table(), "language-bias", None)
