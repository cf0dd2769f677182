"""The error against a teacher: by hand, on a real model, and what is refused."""

import numpy as np
import pytest
from tests.evaluation.evaluation_data import Table, write_tsv

from selfsent.errors import UserError
from selfsent.evaluation import SuiteOptions, evaluate
from selfsent.evaluation.tasks.bitext import Bitext
from selfsent.evaluation.tasks.teacher_error import score_error


@pytest.fixture
def folder(tmp_path, sentences):
    rows = [list(pair) for pair in zip(sentences[::2], sentences[1::2], strict=True)]
    write_tsv(tmp_path / "parallel/toy/test.tsv", [["en", "de"], *rows])
    return tmp_path


def test_both_sides_are_compared_with_the_unit_vector_of_the_text():
    teacher = np.array([[3.0, 4.0], [0.0, 2.0]])
    sources = np.array([[0.6, 0.8], [0.0, 1.0]])
    targets = np.array([[0.6, 0.6], [1.0, 1.0]])
    bitext = Bitext(name="toy/en-de", sources=["a", "b"], targets=["c", "d"])
    score = score_error(sources, targets, teacher, bitext=bitext, options=SuiteOptions(num_resamples=10))
    assert score.also["mse_source"] == pytest.approx(0)
    assert score.also["mse_target"] == pytest.approx((0.04 / 2 + 1 / 2) / 2)
    assert score.value == pytest.approx((0.04 / 2 + 1 / 2) / 4)
    assert score.also["cosine_source"] == pytest.approx(1)


def test_a_teacher_has_no_error_on_texts_and_one_on_translations(folder, tiny_static_model, tmp_path):
    tiny_static_model.save_pretrained(str(tmp_path / "teacher"))

    class Unit:
        def encode(self, inputs, **kwargs):
            return tiny_static_model.encode(inputs, normalize_embeddings=True)

    options = SuiteOptions(teacher=str(tmp_path / "teacher"), num_resamples=10)
    (score,) = evaluate(Unit(), "teacher-error", folder, options=options).scores
    assert score.task == "teacher-error/toy/en-de"
    assert score.also["mse_source"] == pytest.approx(0, abs=1e-12)
    assert score.also["mse_target"] > 0.001


def test_other_widths_and_no_teacher_are_one_line(folder, tiny_static_model, tmp_path):
    tiny_static_model.save_pretrained(str(tmp_path / "teacher"))
    with pytest.raises(UserError, match="--teacher"):
        evaluate(Table(), "teacher-error", folder)
    with pytest.raises(UserError, match="8 values and the teacher's 16"):
        evaluate(Table(), "teacher-error", folder, options=SuiteOptions(teacher=str(tmp_path / "teacher")))
