"""The self-supervised loss: what it embeds how, what it keeps, what it refuses."""

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.modules.transformer_models import open_bert, write_bert
from torch import Tensor
from torch.nn import functional

from selfsent.errors import UserError
from selfsent.losses.averaged_encoder import AveragedEncoder
from selfsent.losses.cross_view import CrossViewLoss, StackedHead, encode, reference_vectors
from selfsent.losses.functional import cross_view
from selfsent.training.loss_state import own_parameters, own_tensors

SMALL: dict[str, Any] = {"queue_size": 32, "temperature": 0.2, "reference_temperature": 0.1}


@pytest.fixture
def model(tmp_path_factory: pytest.TempPathFactory, sentences: list[str]) -> SentenceTransformer:
    folder = write_bert(tmp_path_factory.mktemp("bert"), sentences)
    return SentenceTransformer(modules=[open_bert(folder), Pooling(16, pooling_mode="mean")], device="cpu")


@pytest.fixture
def views(model: SentenceTransformer, sentences: list[str]) -> list[dict[str, Tensor]]:
    return [dict(model.preprocess(texts)) for texts in (sentences[::2], sentences[1::2])]


def make(model: SentenceTransformer, **settings: Any) -> CrossViewLoss:
    torch.manual_seed(0)
    return CrossViewLoss(model, **(SMALL | settings))


def test_the_stacked_head_is_the_papers_three_blocks_and_nothing_in_between():
    head = StackedHead(4)
    rows = torch.randn(6, 4)
    expected = rows
    parameters = list(head.parameters())
    assert [tuple(parameter.shape) for parameter in parameters] == [(40, 4), (40,), (4, 40), (4,)] * 3
    for block in range(3):
        into, into_bias, out, out_bias = parameters[4 * block : 4 * block + 4]
        expected = (expected @ into.T + into_bias).clamp(min=0) @ out.T + out_bias
    torch.testing.assert_close(head(rows), expected)


def value(loss: CrossViewLoss, views: list[dict[str, Tensor]]) -> Tensor:
    return loss([dict(view) for view in views], None)


def test_it_is_the_papers_formula_with_the_head_on_the_online_vectors_alone(model, views):
    loss = make(model).eval()
    assert isinstance(loss.head, StackedHead)
    references = [functional.normalize(model(dict(view))["sentence_embedding"], dim=1) for view in views]
    online = [functional.normalize(loss.head(model(dict(view))["sentence_embedding"]), dim=1) for view in views]
    queues = [
        torch.cat([queue.oldest_first(), rows.detach()])[-32:]
        for queue, rows in zip(loss.comparison.queues, references, strict=True)
    ]
    expected = cross_view(
        (online[0], online[1]),
        (references[0], references[1]),
        (queues[0], queues[1]),
        temperature=0.2,
        reference_temperature=0.1,
    )
    torch.testing.assert_close(value(loss, views), expected)


def test_references_of_one_column_differ_from_each_other_by_dropout_alone(model, sentences):
    loss = make(model)
    column = [dict(model.preprocess(sentences))]
    with torch.no_grad():
        first, second = reference_vectors(loss.train().model, None, column * 2)
        assert not torch.equal(first, second)
        first, second = reference_vectors(loss.eval().model, None, column * 2)
        torch.testing.assert_close(first, second)
    assert torch.equal(value(loss, column), value(make(model).eval(), column * 2))


def test_references_of_the_online_pass_are_its_embeddings_before_the_head(model, views):
    separate, shared = make(model).eval(), make(model, reference="online").eval()
    torch.testing.assert_close(value(shared, views), value(separate, views))  # without dropout both passes are one
    for one, other in zip(separate.comparison.queues, shared.comparison.queues, strict=True):
        torch.testing.assert_close(one.rows, other.rows)
    torch.manual_seed(1)
    online, references = encode(model.train(), views, head=torch.nn.Identity(), reference="online")
    assert torch.equal(online[0], references[0])
    assert not references[0].requires_grad


def test_checkpoints_hold_queues_head_and_average_and_training_moves_the_head(model):
    loss = make(model, reference="ema")
    saved = own_tensors(loss, model)
    assert {name.split(".")[0] for name in saved} == {"comparison", "head", "average"}
    assert {"comparison.queues.0.rows", "comparison.queues.1.next_row"} <= saved.keys()
    assert len([name for name in saved if name.startswith("average.")]) == len(list(model.parameters()))
    trained = {id(parameter) for parameter in own_parameters(loss, model)}
    assert trained == {id(parameter) for parameter in loss.head.parameters()}


def test_the_average_follows_the_weights_by_its_decay(model, views):
    loss = make(model, reference="ema", ema_decay=0.75).eval()
    assert loss.average is not None
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    value(loss, views)
    for name, parameter in before.items():
        torch.testing.assert_close(loss.average.get_buffer(name.replace(".", "/")), parameter + 0.25)
    with torch.no_grad():
        value(loss, views)
    torch.testing.assert_close(next(iter(loss.average.buffers())), next(iter(before.values())) + 0.25)


def test_an_average_that_keeps_nothing_encodes_as_the_model_does(model, views):
    with torch.no_grad():
        found = AveragedEncoder(model.eval(), decay=0.0)(dict(views[0]))["sentence_embedding"]
        assert torch.equal(found, model(dict(views[0]))["sentence_embedding"])


def test_the_hosts_own_trainer_trains_with_it(model, sentences, tmp_path: Path):
    loss = make(model)
    before = {name: parameter.detach().clone() for name, parameter in loss.named_parameters() if "pooler" not in name}
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(tmp_path), max_steps=2, per_device_train_batch_size=6, learning_rate=0.01, report_to="none",
        use_cpu=True, save_strategy="no", logging_steps=1, disable_tqdm=True,
    )  # fmt: skip
    rows = Dataset.from_dict({"view_a": sentences[::2], "view_b": sentences[1::2]})
    trainer = SentenceTransformerTrainer(model=model, args=arguments, train_dataset=rows, loss=loss)
    assert torch.isfinite(torch.tensor(trainer.train().training_loss))
    parameters = dict(loss.named_parameters())
    assert all(not torch.equal(parameters[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("way", ["autocast", "weights"])
def test_bfloat16_is_finite_and_near_float32(model, views, way):
    loss = make(model).eval()
    exact = value(make(model).eval(), views)
    if way == "weights":
        loss = loss.bfloat16()
    with torch.autocast("cpu", torch.bfloat16, enabled=way == "autocast"):
        found = value(loss, views)
    found.backward()
    # Eight bits of mantissa: cosines are off by about half a per cent, divided by temperatures of 0.1 and 0.2.
    torch.testing.assert_close(found.float(), exact, atol=0.1, rtol=0.1)


def test_settings_that_are_wrong_are_refused(model):
    with pytest.raises(UserError, match="ema_decay=1"):
        make(model, reference="ema", ema_decay=1.0)


def test_it_says_for_the_model_card_what_it_is(model):
    settings = make(model, reference="ema").get_config_dict()
    assert settings["queue_size"] == 32
    assert settings["head"] == "StackedHead"
    assert settings["reference"] == "ema, decay 0.999"
    assert "2311.03228" in make(model).citation
