import math
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, DatasetDict
from sentence_transformers import SentenceTransformerTrainingArguments
from tests.training.tiny_run import HeadQueueLoss, make_model, make_rows
from torch import nn

from selfsent.training.loss_state import own_tensors
from selfsent.training.trainer import ExactTrainer, last_checkpoint


def make_trainer(folder: Path, loss: Any = None, data: Any = None, **arguments: Any) -> ExactTrainer:
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
    )


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
