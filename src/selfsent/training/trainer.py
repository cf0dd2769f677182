"""``SentenceTransformerTrainer`` made exact: the loss is saved, restored, synchronised and clipped with the model."""

import contextlib
import errno
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformerTrainer
from torch import Tensor, nn
from transformers import PrinterCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import rotate_checkpoints
from typing_extensions import override

from selfsent.errors import UserError
from selfsent.freed_memory import kept_memory
from selfsent.kernels.tensor_parts import undivided_operations
from selfsent.modules.tree_encoder import ComposingEncoder
from selfsent.training.checkpoints import last_checkpoint
from selfsent.training.faster_steps import GatheredGradients, fast_dropout, gathered_embedding_gradients
from selfsent.training.loss_state import (
    average_gradients,
    broadcast_loss_state,
    load_loss_state,
    own_parameters,
    save_loss_state,
)
from selfsent.training.random_state import preserved_random_state

_WRITING_FOLDER = ".writing"


class _EpochOrder(TrainerCallback):
    """Tells every sampler under the data loader which epoch begins, however deeply it is wrapped.

    The host stops two wrappers down, so under several ranks a run resumed within its second epoch would repeat the
    order of the first.
    """

    @override
    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        epoch = math.floor((state.epoch or 0) + 1e-9)
        pending: list[Any] = [kwargs.get("train_dataloader")]
        while pending:
            layer = pending.pop()
            for name in ("batch_sampler", "sampler", "base_dataloader"):
                inner = getattr(layer, name, None)
                if inner is not None and inner is not layer:
                    pending.append(inner)
            if layer is not None and hasattr(layer, "set_epoch"):
                layer.set_epoch(epoch)


class ExactTrainer(SentenceTransformerTrainer):
    """A ``SentenceTransformerTrainer`` whose resumed run is the uninterrupted run, and whose ranks agree.

    The host keeps a loss outside the model it checkpoints, wraps and clips. This class adds, and changes nothing else:

    * parameters and buffers of the loss go into every checkpoint (safetensors) and come back on resume and when the
      best model is restored;
    * under several ranks they start from rank 0's, and their gradients are averaged when the model's are;
    * ``max_grad_norm`` clips model and loss together;
    * a checkpoint is written aside and renamed, so a killed process leaves a whole one or none;
    * a checkpoint closes a logging window, so logged losses do not depend on where a run was interrupted;
    * dropout on a CPU draws fewer random bits, a large embedding table gets its gradient once a step, and freed memory
      is kept for the next one (``training/faster_steps.py``);
    * small operations of a tree model stay on one thread (`selfsent.kernels.tensor_parts`);
    * evaluation does not move the random numbers of training;
    * a loss or gradient that is not finite stops the run before the weights take it up.

    Buffers that a loss changes by itself (a queue) must be filled with the rows of all ranks
    (``sentence_transformers.util.all_gather``); then they stay equal without further traffic. A frozen
    ``SentenceTransformer`` or ``PreTrainedModel`` held by the loss counts as a teacher and is not saved.

    The arguments are the host's. No pickle is written beside the optimizer's tensors, which torch loads weights-only.

    Args:
        args: The host's.
        max_seq_length: Tokens a training text is cut to; ``None``: as many as the model reads.
        kwargs: The host's.
    """

    def __init__(self, *args: Any, max_seq_length: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if max_seq_length is not None:
            cast("Any", self.data_collator).max_length = max_seq_length
        self.args.logging_nan_inf_filter = False
        self._staging_folder: Path | None = None
        self._loss_parameters = own_parameters(self.loss, self.model)
        self._tokens_since_log = torch.zeros((), dtype=torch.int64, device=self.args.device)
        self._gathered: GatheredGradients | None = None
        self.remove_callback(PrinterCallback)
        self.add_callback(_EpochOrder())
        if self.evaluator is not None and self.evaluator.primary_metric:
            self._judge_by_evaluator()  # a run resumed after its last evaluation has no other moment

    # Starting and stepping -------------------------------------------------------------------------------------------

    @override
    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train as the host does, after giving every rank the loss state of rank 0, with cheaper dropout and tables."""
        broadcast_loss_state(self.loss, self.model)
        alone = self.args.world_size == 1
        tables = gathered_embedding_gradients(self.model) if alone else contextlib.nullcontext()
        with kept_memory(), fast_dropout(self.model), tables as self._gathered:
            return super().train(*args, **kwargs)

    @override
    def training_step(self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """Compute loss and gradients of one micro-batch; average the loss's own gradients when the model's are.

        Raises:
            UserError: The loss is not finite.
        """
        divides_itself = any(isinstance(module, ComposingEncoder) for module in self.model.modules())
        with undivided_operations() if divides_itself else contextlib.nullcontext():
            loss = super().training_step(model, inputs, num_items_in_batch)
        if not math.isfinite(loss.item()):
            raise UserError(self._not_finite("loss", loss.item()))
        if self.accelerator.sync_gradients:
            average_gradients(self._loss_parameters)
        return loss

    @override
    def _clip_grad_norm(self, model: nn.Module) -> Tensor:
        return self._clipped(model, self.args.max_grad_norm)

    def _clipped(self, model: nn.Module, max_norm: float) -> Tensor:
        """Clip the gradients of model and loss together; return their norm before."""
        parameters = [*model.parameters(), *self._loss_parameters]
        if self._gathered is not None and self.accelerator.scaler is None:
            return self._gathered.clip(parameters, max_norm)
        return cast("Tensor", self.accelerator.clip_grad_norm_(parameters, max_norm))

    @override
    def _get_grad_norm(self, model: nn.Module, grad_norm: Tensor | float | None = None) -> float:
        if grad_norm is None:
            grad_norm = self._clipped(model, math.inf)
        norm = float(cast("Tensor | float", super()._get_grad_norm(model, grad_norm)))
        is_rescaled = self.accelerator.scaler is not None  # float16: the scaler skips such steps itself
        if not is_rescaled and not math.isfinite(norm):
            raise UserError(self._not_finite("gradient norm", norm))
        return norm

    def _not_finite(self, what: str, value: float) -> str:
        last = last_checkpoint(Path(cast("str", self.args.output_dir)))
        kept = f"the last good checkpoint is {last}" if last else "no checkpoint had been written yet"
        return (
            f"{what} is {value} at step {self.state.global_step + 1} (epoch {self.state.epoch or 0:.3f}), before the "
            f"weights took it up; {kept}; lower training.learning_rate or training.max_grad_norm, "
            "or look at the data of that step"
        )

    @override
    def _track_num_input_tokens(self, inputs: Mapping[str, Any]) -> None:
        for name, value in inputs.items():
            if name.endswith("_attention_mask"):
                self._tokens_since_log += value.sum()
            elif name.endswith("_input_ids") and name.replace("_input_ids", "_attention_mask") not in inputs:
                self._tokens_since_log += value.numel()

    # Logging and evaluating ------------------------------------------------------------------------------------------

    @override
    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log as the host does, and bring the count of tokens up to date."""
        num_tokens = cast("Tensor", self.accelerator.reduce(self._tokens_since_log, "sum"))
        self.state.num_input_tokens_seen += int(num_tokens.item())
        self._tokens_since_log.zero_()
        super().log({**logs, **(self._counts() if "loss" in logs else {})}, start_time)

    def _counts(self) -> dict[str, float]:
        """What the loss counts beside its value (``counts()``), such as negatives it left out."""
        counts = getattr(self.loss, "counts", None)
        return cast("dict[str, float]", counts()) if callable(counts) else {}

    @override
    def _maybe_log_save_evaluate(self, *args: Any, **kwargs: Any) -> None:
        self.control.should_log |= self.control.should_save or self.control.should_evaluate
        super()._maybe_log_save_evaluate(*args, **kwargs)

    @override
    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate as the host does, leaving the random numbers of training where they were."""
        with preserved_random_state():
            return super().evaluate(*args, **kwargs)

    @override
    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        self._judge_by_evaluator()
        return super()._determine_best_metric(metrics, trial)

    def _judge_by_evaluator(self) -> None:
        """Choose the best checkpoint by the evaluator's own metric, where no other was asked for."""
        if self.evaluator is not None and self.args.metric_for_best_model in {None, "loss"}:
            self.args.metric_for_best_model = self.evaluator.primary_metric or "evaluator"
            self.args.greater_is_better = self.evaluator.greater_is_better

    # Checkpoints -----------------------------------------------------------------------------------------------------

    @override
    def _get_output_dir(self, trial: Any) -> str:
        return super()._get_output_dir(trial) if self._staging_folder is None else str(self._staging_folder)

    @override
    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        run_folder = Path(cast("str", self.args.output_dir))
        staging = run_folder / _WRITING_FOLDER
        name = f"checkpoint-{self.state.global_step}"
        try:
            self._begin_staging(staging)
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            self._name_best(run_folder / name)
            if self.args.should_save:
                self._finish_staging(staging / name, run_folder / name)
        except (OSError, RuntimeError, SafetensorError) as error:
            shutil.rmtree(staging, ignore_errors=True)
            raise UserError(self._cannot_write(run_folder, error)) from error
        finally:
            self._staging_folder = None
        self.accelerator.wait_for_everyone()

    def _begin_staging(self, staging: Path) -> None:
        if self.args.should_save:
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(parents=True)
        self.accelerator.wait_for_everyone()
        self._staging_folder = staging

    def _name_best(self, final: Path) -> None:
        """Know the best checkpoint by the name it will have, on every rank, since each of them loads it at the end."""
        if self.state.best_global_step:
            best = final.with_name(f"checkpoint-{self.state.best_global_step}")
            self.state.best_model_checkpoint = str(best) if best == final or best.is_dir() else None

    def _finish_staging(self, staged: Path, final: Path) -> None:
        self.state.save_to_json(str(staged / TRAINER_STATE_NAME))
        if final.exists():
            shutil.rmtree(final)
        staged.replace(final)
        shutil.rmtree(staged.parent, ignore_errors=True)
        rotate_checkpoints(str(final.parent), self.args.save_total_limit, self.state.best_model_checkpoint)

    def _cannot_write(self, run_folder: Path, error: Exception) -> str:
        last = last_checkpoint(run_folder)
        is_full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        reason = os.strerror(errno.ENOSPC) if is_full else (str(error).splitlines() or [type(error).__name__])[0]
        kept = f"the last good checkpoint, {last}, is kept" if last else "none had been written before"
        return (
            f"cannot write the checkpoint of step {self.state.global_step} under {run_folder}: {reason}; {kept}; "
            "free some space and continue with --resume"
        )

    @override
    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(cast("str", output_dir or self.args.output_dir))
        self.model.save_pretrained(str(folder), create_model_card=False)
        save_loss_state(self.loss, self.model, folder)

    @override
    def _load_from_checkpoint(self, checkpoint_path: str) -> None:
        super()._load_from_checkpoint(checkpoint_path)
        load_loss_state(self.loss, self.model, Path(checkpoint_path))

    @override
    def _load_best_model(self) -> None:
        checkpoint = cast("str", self.state.best_model_checkpoint)
        self.model.model_card_data.set_best_model_step(int(checkpoint.rsplit("-", 1)[-1]))
        self._load_from_checkpoint(checkpoint)
