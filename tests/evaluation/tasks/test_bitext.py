"""Finding translations: both directions, ready test files and the held-out part of a pool."""

import numpy as np
import pytest
from tests.evaluation.evaluation_data import Table, write_tsv

from selfsent.errors import UserError
from selfsent.evaluation import evaluate
from selfsent.evaluation.tasks.bitext import is_heldout, read_bitexts, score_bitext


def test_the_directions_are_scored_apart_and_averaged():
    sources = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.9]])
    targets = np.array([[1.0, 0.1], [1.0, 1.0], [0.8, 1.0]])
    cosine = (sources / np.linalg.norm(sources, axis=1)[:, None]) @ (
        targets / np.linalg.norm(targets, axis=1)[:, None]
    ).T
    forward = (cosine.argmax(1) == np.arange(3)).mean()
    backward = (cosine.argmax(0) == np.arange(3)).mean()
    score = score_bitext(sources, targets, task="toy")
    assert (score.also["accuracy_forward"], score.also["accuracy_backward"]) == pytest.approx((forward, backward))
    assert score.value == pytest.approx((forward + backward) / 2)
    assert forward != backward


def test_the_first_language_is_paired_with_each_other_one(tmp_path):
    rows = [["en", "de", "fr"], *([f"{language} {i}" for language in ("en", "de", "fr")] for i in range(4))]
    write_tsv(tmp_path / "parallel/toy/test.tsv", rows)
    tasks = [score.task for score in evaluate(Table(), "bitext", tmp_path).scores]
    assert tasks == ["toy/en-de", "toy/en-fr"]


def test_a_pool_gives_its_heldout_pairs_no_text_twice(tmp_path):
    pairs = [[f"sentence {i}", f"Satz {i // 2}"] for i in range(2000)]
    pairs += [[english, f"anders {number}"] for number, (english, _) in enumerate(pairs)]
    write_tsv(tmp_path / "parallel/pool/en-de.tsv", [["en", "de"], *pairs])
    (bitext,) = read_bitexts(tmp_path)
    assert bitext.name == "pool/en-de"
    assert all(is_heldout(source) for source in bitext.sources)
    assert len(set(bitext.sources)) == len(set(bitext.targets)) == len(bitext.sources)
    assert set(zip(bitext.sources, bitext.targets, strict=True)) <= {tuple(pair) for pair in pairs}
    assert 60 <= len(bitext.sources) <= 140


def test_an_empty_cell_names_file_and_line(tmp_path):
    write_tsv(tmp_path / "parallel/toy/test.tsv", [["en", "de"], ["a", "b"], ["c", ""]])
    with pytest.raises(UserError, match=r"test\.tsv, line 3: de is ''; give a text"):
        evaluate(Table(), "bitext", tmp_path)


def test_no_bitext_names_the_layout(tmp_path):
    with pytest.raises(UserError, match=r"parallel; it must hold NAME/test\.tsv"):
        evaluate(Table(), "bitext", tmp_path)
