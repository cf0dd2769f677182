"""Distillation: the teacher's vectors as references, alone and beside the self-supervised objective."""

from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.modules.transformer_models import open_bert, write_bert
from torch import Tensor
from torch.nn import functional

from selfsent.errors import UserError
from selfsent.losses.cross_view import CrossViewLoss
from selfsent.losses.cross_view_distillation import CrossViewDistillationLoss
from selfsent.losses.functional import cross_view
from selfsent.training.loss_state import own_tensors

SMALL: dict[str, Any] = {"queue_size": 32, "temperature": 0.2, "reference_temperature": 0.1}
LABELS = torch.arange(12).view(6, 2)


@pytest.fixture
def model(tmp_path_factory: pytest.TempPathFactory, sentences: list[str]) -> SentenceTransformer:
    folder = write_bert(tmp_path_factory.mktemp("bert"), sentences)
    return SentenceTransformer(modules=[open_bert(folder), Pooling(16, pooling_mode="mean")], device="cpu")


@pytest.fixture
def views(model: SentenceTransformer, sentences: list[str]) -> list[dict[str, Tensor]]:
    return [dict(model.preprocess(texts)) for texts in (sentences[::2], sentences[1::2])]


@pytest.fixture
def vectors() -> np.ndarray:
    rows = np.random.default_rng(0).standard_normal((12, 16)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def make(model: SentenceTransformer, vectors: np.ndarray, **settings: Any) -> CrossViewDistillationLoss:
    torch.manual_seed(0)
    return CrossViewDistillationLoss(model, vectors, **(SMALL | settings))


def value(loss: CrossViewDistillationLoss, views: list[dict[str, Tensor]], labels: Tensor | None = LABELS) -> Any:
    return loss([dict(view) for view in views], labels)


def online(loss: CrossViewDistillationLoss, views: list[dict[str, Tensor]]) -> tuple[Tensor, Tensor]:
    first, second = (
        functional.normalize(loss.head(loss.model(dict(view))["sentence_embedding"]), dim=1) for view in views
    )
    return first, second


def held(loss: Any, new: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Both queues of a comparison once new rows have come in."""
    first, second = (
        torch.cat([queue.oldest_first(), rows.detach()])[-32:] for queue, rows in zip(loss.queues, new, strict=True)
    )
    return first, second


def formula(rows: Any, references: Any, queues: Any) -> Tensor:
    return cross_view(rows, references, queues, temperature=0.2, reference_temperature=0.1)


def test_alone_it_is_the_formula_with_the_teachers_vectors_as_references(model, views, vectors):
    loss = make(model, vectors, objective="alone").eval()
    teacher = torch.from_numpy(vectors[0::2]), torch.from_numpy(vectors[1::2])
    queues = held(loss.distillation, teacher)
    torch.testing.assert_close(value(loss, views), formula(online(loss, views), teacher, queues))
    torch.testing.assert_close(loss.distillation.queues[1].oldest_first(), queues[1])


def test_joint_adds_the_self_supervised_objective_with_queues_of_its_own(model, views, vectors):
    loss = make(model, vectors).eval()
    teacher = torch.from_numpy(vectors[0::2]), torch.from_numpy(vectors[1::2])
    own = tuple(functional.normalize(model(dict(view))["sentence_embedding"], dim=1) for view in views)
    queues, own_queues = held(loss.distillation, teacher), held(loss.cross_view, own)
    rows = online(loss, views)
    terms = value(loss, views)
    torch.testing.assert_close(terms["distillation"], formula(rows, teacher, queues))
    torch.testing.assert_close(terms["cross_view"], formula(rows, own, own_queues))
    assert set(terms) == {"distillation", "cross_view"}


@pytest.mark.parametrize("enqueue", ["before", "after"])
def test_shared_queues_are_the_teachers(model, views, vectors, enqueue):
    loss = make(model, vectors, share_queues=True, enqueue=enqueue).eval()
    teacher = torch.from_numpy(vectors[0::2]), torch.from_numpy(vectors[1::2])
    own = tuple(functional.normalize(model(dict(view))["sentence_embedding"], dim=1) for view in views)
    queues = held(loss.distillation, teacher)
    if enqueue == "after":
        queues = tuple(
            torch.cat([queue.oldest_first(), rows])
            for queue, rows in zip(loss.distillation.queues, teacher, strict=True)
        )
    terms = value(loss, views)
    torch.testing.assert_close(terms["cross_view"], formula(online(loss, views), own, queues))
    assert loss.cross_view is None


def test_one_label_a_sentence_is_the_teacher_of_both_views(model, views, vectors):
    one, both = (make(model, vectors, objective="alone").eval() for _ in range(2))
    labels = torch.tensor([[3], [1], [4], [1], [5], [9]])
    torch.testing.assert_close(value(one, views, labels), value(both, views, labels.expand(6, 2)))


def test_the_queues_do_not_depend_on_how_long_the_teachers_vectors_are(model, views, vectors):
    one, other = make(model, vectors).eval(), make(model, 7 * vectors).eval()
    torch.testing.assert_close(value(one, views), value(other, views))


def test_checkpoints_hold_heads_and_queues_but_no_vectors_of_the_teacher(model, vectors):
    saved = own_tensors(make(model, vectors), model)
    assert {name.split(".")[0] for name in saved} == {"distillation", "cross_view", "head"}
    assert all(len(tensor) != len(vectors) for tensor in saved.values() if tensor.ndim)


def test_alone_without_a_head_nothing_but_the_teachers_queues_is_kept(model, vectors):
    saved = own_tensors(make(model, vectors, objective="alone", head="none"), model)
    assert {name.split(".")[0] for name in saved} == {"distillation"}


def test_a_student_learns_to_lie_as_the_teacher_does(model, views, vectors):
    loss = make(model, vectors, objective="alone", queues="none").eval()
    start = value(loss, views).item()
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.003)
    for _ in range(15):
        optimizer.zero_grad()
        value(loss, views).backward()
        optimizer.step()
    assert value(loss, views).item() < start / 2


@pytest.mark.parametrize("objective", ["joint", "alone"])
@pytest.mark.parametrize("form", ["mse", "ckd", "congen"])
def test_another_form_of_distillation_takes_its_place_beside_the_self_supervised_objective(
    model, views, vectors, form, objective
):
    loss = make(model, vectors, distillation=form, objective=objective).eval()
    teacher = torch.from_numpy(vectors[0::2]), torch.from_numpy(vectors[1::2])
    z, t = online(loss, views), (teacher[0], teacher[0] if form == "congen" else teacher[1])
    if form == "mse":
        expected = sum((one - other).square().sum(dim=1).mean() for one, other in zip(z, t, strict=True)) / 2
    elif form == "ckd":
        queues = held(loss.distillation, teacher)
        expected = (
            sum(
                functional.cross_entropy(rows @ queue.T / 0.2, torch.arange(26, 32))
                for rows, queue in zip(z, queues, strict=True)
            )
            / 2
        )
    else:
        (queue,) = (torch.cat([queue.oldest_first(), t[0]])[-32:] for queue in loss.distillation.queues)
        expected = formula(z[::-1], t, (queue, queue))
    found = value(loss, views)
    torch.testing.assert_close(found if objective == "alone" else found["distillation"], expected)
    assert objective == "alone" or set(found) == {"distillation", "cross_view"}


@pytest.mark.parametrize("shift", [1, -1])
def test_labels_beyond_the_teachers_vectors_are_refused(model, views, vectors, shift):
    with pytest.raises(UserError, match=r"not all rows of the 12 vectors"):
        value(make(model, vectors), views, LABELS + shift)


def test_it_says_for_the_model_card_what_it_is(model, vectors):
    settings = make(model, vectors).get_config_dict()
    assert (settings["objective"], settings["share_queues"], settings["queue_size"]) == ("joint", False, 32)
    assert make(model, vectors).citation == CrossViewLoss(model, **SMALL).citation
