import math
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, DatasetDict
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.conftest import SENTENCES
from tests.modules.transformer_models import open_bert, write_bert
from tests.training.tiny_run import HeadQueueLoss, make_model, make_rows
from torch import nn

from selfsent.training.checkpoints import last_checkpoint
from selfsent.training.heldout_loss import HeldoutLoss
from selfsent.training.loss_state import own_tensors
from selfsent.training.trainer import ExactTrainer


def make_trainer(
    folder: Path, loss: Any = None, data: Any = None, max_seq_length: int | None = None, **arguments: Any
) -> ExactTrainer:
    one = next(iter(loss.values())) if isinstance(loss, dict) else loss
    model = make_model() if one is None else one.model
    settings = {"per_device_train_batch_size": 4, "max_steps": 4, "save_steps": 2, "report_to": "none", "use_cpu": True}
    return ExactTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(folder), disable_tqdm=True, dataloader_pin_memory=False, **(settings | arguments)
        ),
        train_dataset=Dataset.from_dict(make_rows()) if data is None else data,
        loss=HeadQueueLoss(model) if loss is None else loss,
        max_seq_length=max_seq_length,
    )


def test_training_texts_are_cut_and_what_the_model_reads_otherwise_stays(tmp_path: Path) -> None:
    transformer = open_bert(write_bert(tmp_path / "bert", SENTENCES))
    model = SentenceTransformer(modules=[transformer, Pooling(16)], device="cpu")
    loss, rows = MultipleNegativesRankingLoss(model), {"text": [" ".join(SENTENCES)] * 4}
    for limit, num_tokens in ((8, 8), (None, 32)):
        trainer = make_trainer(tmp_path, loss, Dataset.from_dict(rows), max_seq_length=limit)
        batch = next(iter(trainer.get_train_dataloader()))
        assert batch["text_input_ids"].shape == (4, num_tokens)
        heldout = HeldoutLoss(loss=_Widths(), dataset=Dataset.from_dict(rows), batch_size=4, max_seq_length=limit)
        assert heldout(model) == {"heldout_loss": num_tokens}
    assert model.max_seq_length == 32


class _Widths(nn.Module):
    """A loss that is the number of tokens of the longest row."""

    def forward(self, features: Any, labels: Any) -> torch.Tensor:
        return torch.tensor(float(features[0]["input_ids"].shape[1]))


def test_clipping_bounds_the_norm_over_model_and_loss_together(tmp_path: Path) -> None:
    loss = HeadQueueLoss(make_model())
    trainer = make_trainer(tmp_path, loss)
    parameters = [*loss.model.parameters(), *loss.head.parameters()]
    for parameter in parameters:
        parameter.grad = torch.full_like(parameter, 3.0)
    whole = math.sqrt(sum(9.0 * parameter.numel() for parameter in parameters))
    reported = trainer._get_grad_norm(loss.model, trainer._clip_grad_norm(loss.model))
    assert math.isclose(reported, whole, rel_tol=1e-5)
    clipped = math.sqrt(sum(float(parameter.grad.square().sum()) for parameter in parameters))
    assert math.isclose(clipped, trainer.args.max_grad_norm, rel_tol=1e-4)


def test_a_loss_owns_its_head_and_queue_but_neither_the_model_nor_a_teacher() -> None:
    loss = HeadQueueLoss(make_model())
    loss.teacher = make_model().requires_grad_(requires_grad=False)
    assert own_tensors(loss, loss.model).keys() == {"head.weight", "head.bias", "queue"}
    wrapped = nn.ModuleDict({"inner": loss.model})
    loss.model = wrapped
    assert own_tensors(loss, wrapped["inner"]).keys() == {"head.weight", "head.bias", "queue"}


def test_every_loss_of_a_dictionary_is_saved_and_restored(tmp_path: Path) -> None:
    model = make_model()
    losses = {"easy": HeadQueueLoss(model), "hard": HeadQueueLoss(model, num_queued=8)}
    rows = Dataset.from_dict(make_rows())
    trainer = make_trainer(tmp_path, losses, DatasetDict({"easy": rows, "hard": rows}))
    trainer.train()
    checkpoint = last_checkpoint(tmp_path)
    assert checkpoint is not None
    trained = {name: loss.queue.clone() for name, loss in losses.items()}
    for loss in losses.values():
        loss.queue.zero_()
    trainer._load_from_checkpoint(str(checkpoint))
    assert all(torch.equal(loss.queue, trained[name]) for name, loss in losses.items())


def test_a_checkpoint_holds_no_pickled_arguments(tmp_path: Path) -> None:
    make_trainer(tmp_path).train()
    assert (tmp_path / "checkpoint-4" / "loss.safetensors").is_file()
    assert not list(tmp_path.rglob("training_args.bin"))
