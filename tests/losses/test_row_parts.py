"""Parts of a batch on threads give the embeddings and gradients of the whole, whatever the number of threads."""

from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss
from tests.conftest import SENTENCES
from tests.losses.test_packed_pass import assert_as_exact, everything, gradients_of
from tests.losses.test_sentence_pass import columns_of, mixed, opened
from tests.modules.transformer_models import write_bert
from torch import Tensor, nn

from selfsent.losses import InfoNCELoss, row_parts
from selfsent.losses.row_parts import divided_passes, num_parts
from selfsent.losses.sentence_pass import embed_columns
from selfsent.training.arguments import training_arguments
from selfsent.training.faster_steps import fast_dropout
from selfsent.training.trainer import ExactTrainer


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), SENTENCES)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_parts, "_PARTS_BY_TOKENS", ((1600, 8), (800, 4), (400, 2)))


@pytest.fixture(params=[1, 2, 3, 5], ids=lambda count: f"{count} threads")
def threads(request: pytest.FixtureRequest) -> Generator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def embed(model: SentenceTransformer, *, divided: bool = True, seed: int = 0) -> list[Tensor]:
    columns = columns_of(model, mixed(24), mixed(24, shift=5))
    torch.manual_seed(seed)
    if not divided:
        return embed_columns(model, columns)
    with divided_passes(), fast_dropout(model):
        assert num_parts(model, sum(int(column["attention_mask"].sum()) for column in columns)) == 4
        return embed_columns(model, columns)


def test_embeddings_and_gradients_are_those_of_the_whole(threads: int, bert: Path):
    model = opened(bert)
    found = embed(model)
    assert torch.get_num_threads() == threads
    found = everything(model, found)
    assert torch.get_num_threads() == threads
    assert_as_exact(found, model, columns_of(model, mixed(24), mixed(24, shift=5)))


def test_dropout_draws_the_same_whatever_the_number_of_threads(threads: int, bert: Path):
    model = opened(bert).train()
    found = embed(model)
    torch.set_num_threads(1)
    for one, other in zip(found, embed(model), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(found[0], embed(model, seed=1)[0], atol=1e-3)


def test_views_of_a_text_differ_and_so_do_equal_rows_of_different_parts(bert: Path):
    model = opened(bert).train()
    columns = columns_of(model, ["the cat sat on the mat and looked at a bird"] * 40)
    with divided_passes(), fast_dropout(model):
        one, other = embed_columns(model, columns * 2)
    rows = torch.cat([one, other])
    distances = torch.cdist(rows, rows) + torch.eye(len(rows))
    assert distances.min() > 1e-3


def test_modules_behind_the_transformer_see_the_layers_of_their_own_part(bert: Path):
    model = opened(bert, "mean-first-last")
    assert_as_exact(everything(model, embed(model)), model, columns_of(model, mixed(24), mixed(24, shift=5)))


def test_a_loss_that_keeps_what_the_model_gave_is_not_divided(bert: Path):
    model = opened(bert)
    loss = MatryoshkaLoss(model, InfoNCELoss(model), [16, 8])
    columns = columns_of(model, mixed(24), mixed(24, shift=5))
    expected = loss(columns, None)
    with divided_passes(), fast_dropout(model):
        torch.testing.assert_close(loss(columns, None), expected)


def test_only_trained_weights_get_gradients(bert: Path):
    model = opened(bert)
    model[0].model.embeddings.requires_grad_(requires_grad=False)
    gradients = gradients_of(model, embed(model))
    assert gradients
    assert not any("embeddings" in name for name in gradients)
    model.requires_grad_(requires_grad=False)
    assert not embed(model)[0].requires_grad


def test_an_error_in_a_part_is_raised_and_threads_are_given_back(bert: Path):
    model = opened(bert)
    calls = []

    def fails(*_: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise ValueError("no such row")

    model.register_forward_pre_hook(fails)
    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="no such row"):
        embed(model)
    assert torch.get_num_threads() == before


def test_batches_are_divided_within_the_block_with_gradients_and_dropout_by_bits_only(bert: Path):
    model = opened(bert).train()
    assert num_parts(model, 10_000) == 1
    with divided_passes():
        assert num_parts(model, 10_000) == 1, "torch's dropout draws from one generator"
        with fast_dropout(model):
            assert [num_parts(model, number) for number in (0, 399, 400, 799, 800, 1600, 10**6)] == [
                1,
                1,
                2,
                2,
                4,
                8,
                8,
            ]
            with torch.no_grad():
                assert num_parts(model, 10_000) == 1
            model.append(nn.AlphaDropout(0.1))
            assert num_parts(model, 10_000) == 1
    assert num_parts(model, 10_000) == 1


def trained(bert: Path, folder: Path, *, resume: str | None = None, max_steps: int = 6) -> dict[str, Tensor]:
    model = opened(bert)
    arguments = training_arguments(
        {"per_device_train_batch_size": 24, "max_steps": max_steps, "save_steps": 3, "use_cpu": True}
        | {"report_to": "none", "learning_rate": 1e-3},
        output_dir=folder,
        seed=3,
        num_steps=max_steps,
        has_evaluator=False,
    )
    rows = Dataset.from_dict({"text": mixed(24 * 6)})
    trainer = ExactTrainer(model=model, args=arguments, train_dataset=rows, loss=InfoNCELoss(model))
    trainer.train(resume_from_checkpoint=resume)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_a_resumed_run_in_parts_is_the_uninterrupted_one(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    counts: list[int] = []
    divide = row_parts.embed_parts
    monkeypatch.setattr(
        "selfsent.losses.sentence_pass.embed_parts",
        lambda embed, parts, parameters: counts.append(len(parts)) or divide(embed, parts, parameters),
    )
    whole = trained(bert, tmp_path / "whole")
    assert counts == [4] * 6
    resumed = trained(bert, tmp_path / "resumed", resume=str(tmp_path / "whole" / "checkpoint-3"))
    assert len(counts) == 9
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())
