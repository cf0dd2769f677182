"""Copying a teacher's vectors: the host's loss, hand-worked values, and what is refused."""

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MSELoss

from selfsent.losses.teacher_matching import TeacherMatchingLoss


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(20, 16)).astype(np.float32)


def columns(model: SentenceTransformer, sentences: list[str]) -> list[dict]:
    return [model.preprocess(sentences[::2]), model.preprocess(sentences[1::2])]


def test_it_is_the_hosts_loss_and_gives_its_gradients(tiny_static_model, sentences, vectors):
    labels = torch.tensor([3, 1, 4, 1, 5, 9])
    features = columns(tiny_static_model, sentences)
    ours = sum(TeacherMatchingLoss(tiny_static_model, vectors)(features, labels).values())
    host = MSELoss(tiny_static_model)(features, torch.from_numpy(vectors)[labels])
    torch.testing.assert_close(ours, host)
    (table,) = tiny_static_model.parameters()
    for one, other in zip(*(torch.autograd.grad(loss, table) for loss in (ours, host)), strict=True):
        torch.testing.assert_close(one, other)


def test_both_terms_have_the_teachers_vector_of_the_text(tiny_static_model, sentences, vectors):
    features = columns(tiny_static_model, sentences)
    labels = torch.arange(6)
    terms = TeacherMatchingLoss(tiny_static_model, vectors, objective="cosine")(features, labels)
    for name, texts in zip(("source", "target"), (sentences[::2], sentences[1::2]), strict=True):
        student = tiny_static_model.encode(texts)
        cosines = [
            student[row] @ vectors[row] / np.linalg.norm(student[row]) / np.linalg.norm(vectors[row])
            for row in range(6)
        ]
        assert terms[name].item() == pytest.approx((1 - np.mean(cosines)) / 2, rel=1e-5)


def test_a_projected_teacher_is_matched_in_the_students_width(tiny_static_model, sentences):
    vectors = np.random.default_rng(1).normal(size=(6, 24)).astype(np.float32)
    projection = np.random.default_rng(2).normal(size=(24, 16)).astype(np.float32)
    loss = TeacherMatchingLoss(tiny_static_model, vectors, projection=projection)
    terms = loss(columns(tiny_static_model, sentences), torch.arange(6))
    expected = np.square(tiny_static_model.encode(sentences[::2]) - vectors @ projection).mean() / 2
    assert terms["source"].item() == pytest.approx(float(expected), rel=1e-5)
    assert "teacher_projection" in loss.state_dict()
