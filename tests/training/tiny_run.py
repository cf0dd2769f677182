"""A small real run for the tests, also started as a process of its own (to be killed, or as one of two ranks)."""

import gc
import os
import random
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.evaluation import BaseEvaluator
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import Dropout, StaticEmbedding
from sentence_transformers.util import all_gather, all_gather_with_grad
from tests.processes import fork
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from transformers import TrainerCallback

from selfsent.data.source import Source
from selfsent.options import Options
from selfsent.training.collapse_alarm import AlarmSettings
from selfsent.training.engine import train
from selfsent.training.run import Ingredients, Run, RunData, RunPlan

WORDS = [f"w{index}" for index in range(40)]


def make_model(*, dropout: float = 0.0) -> SentenceTransformer:
    torch.manual_seed(1)
    vocabulary = {word: index for index, word in enumerate(["[UNK]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    embedding = StaticEmbedding(tokenizer, embedding_weights=torch.randn(41, 8).numpy())
    return SentenceTransformer(modules=[embedding, Dropout(dropout)], device="cpu")


def make_rows(num_rows: int = 32) -> dict[str, list[str]]:
    generator = random.Random(3)
    anchors = [" ".join(generator.choices(WORDS, k=generator.randint(2, 6))) for _ in range(num_rows)]
    return {"anchor": anchors, "positive": [f"{text} {generator.choice(WORDS)}" for text in anchors]}


class HeadQueueLoss(nn.Module):
    """A contrastive loss with everything the host forgets: a head, a queue of earlier rows, dropout of its own."""

    def __init__(self, model: SentenceTransformer, *, dropout: float = 0.0, num_queued: int = 16) -> None:
        super().__init__()
        self.model = model
        torch.manual_seed(2 + int(os.environ.get("RANK", "0")))  # ranks begin apart, as careless code does
        self.head = nn.Linear(8, 8)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("queue", torch.randn(num_queued, 8))

    def forward(self, sentence_features: list[dict[str, Tensor]], labels: Tensor | None) -> Tensor:
        anchors, positives = (
            self.dropout(self.head(self.model(features)["sentence_embedding"])) for features in sentence_features
        )
        candidates = torch.cat([all_gather_with_grad(positives), self.queue.clone()])
        first = int(os.environ.get("RANK", "0")) * len(anchors)
        loss = nn.functional.cross_entropy(anchors @ candidates.T, first + torch.arange(len(anchors)))
        if torch.is_grad_enabled():
            self.queue.copy_(torch.cat([all_gather(positives.detach().contiguous()), self.queue])[: len(self.queue)])
        return loss


class KillAt(TrainerCallback):
    """Kills its own process, without any chance to tidy up, when a step begins."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


class Interrupt(KillAt):
    """Presses Ctrl-C when a step begins."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            raise KeyboardInterrupt


class NotFiniteAt(HeadQueueLoss):
    """Turns the loss (or only its gradient) into NaN at one call."""

    def __init__(self, model: SentenceTransformer, *, call: int, gradient_only: bool = False) -> None:
        super().__init__(model)
        self.calls_left = call
        self.gradient_only = gradient_only

    def forward(self, sentence_features: list[dict[str, Tensor]], labels: Tensor | None) -> Tensor:
        loss = super().forward(sentence_features, labels)
        self.calls_left -= 1
        if self.calls_left:
            return loss
        if self.gradient_only:
            loss.register_hook(lambda gradient: gradient * float("nan"))
            return loss
        return loss * float("nan")


class FallingScore(BaseEvaluator):
    """Scores best at its first call, or as a list of scores says."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scores = scores
        self.primary_metric = "toy"

    def __call__(self, model: Any, output_path: Any = None, epoch: int = -1, steps: int = -1) -> dict[str, float]:
        torch.rand(3)  # an evaluator may draw random numbers
        return {"toy": self.scores.pop(0) if len(self.scores) > 1 else self.scores[0]}


class KillWhileSaving(TrainerCallback):
    """Kills its own process in the middle of writing the checkpoint of one step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        plain_save, step = torch.save, self.step

        def save(value: Any, path: Any) -> None:
            plain_save(value, path)
            if state.global_step == step:
                os.kill(os.getpid(), signal.SIGKILL)

        torch.save = save


def delete_a_word(batch: dict[str, list[str]]) -> dict[str, list[str]]:
    """A view that draws from the global random numbers, as views do."""

    def view(text: str) -> str:
        words = text.split()
        del words[random.randrange(len(words))]
        return " ".join(words)

    return {name: [view(text) for text in texts] for name, texts in batch.items()}


@dataclass(frozen=True, kw_only=True)
class TinyOptions(Options):
    """Options of the method that is tested.

    Args:
        structure: Whatever a test says.
    """

    structure: str = "left"


def make_plan(output: Path, options: dict[str, Any]) -> RunPlan:
    dropout = options.get("dropout", 0.1)
    model = make_model(dropout=dropout)
    losses = {
        "head": lambda: HeadQueueLoss(model, dropout=dropout),
        "host": lambda: MultipleNegativesRankingLoss(model, gather_across_devices=True),
    }
    rows = make_rows(options.get("num_rows", 32))
    data = Dataset.from_dict(rows)
    if options.get("views"):
        data.set_transform(delete_a_word)
    arguments = {"per_device_train_batch_size": 4, "learning_rate": 0.01, "num_train_epochs": 3, "save_steps": 5}
    killers = [("kill_at", KillAt), ("kill_while_saving", KillWhileSaving)]
    evaluator = FallingScore(list(options["scores"])) if "scores" in options else None
    columns = list(rows)
    pairs = [dict(zip(columns, values, strict=True)) for values in zip(*rows.values(), strict=True)]
    source = Source(spec="rows", columns=tuple(columns), provenance_columns=(), read=lambda _: iter(pairs))
    return RunPlan(
        run=Run(
            recipe="test",
            method=options.get("method", "test"),
            config=TinyOptions(structure=options.get("structure", "left")),
            data="rows",
            output=output,
            training=arguments | options.get("arguments", {}),
            device="cpu",
            resume=options.get("resume", False),
            overwrite=options.get("overwrite", False),
        ),
        data=RunData(source=source, evaluator=evaluator),
        built=Ingredients(
            model=model, loss=losses[options.get("loss", "head")](), dataset=data, notes=["rows made up for the test"]
        ),
        alarm=AlarmSettings() if options.get("alarm", True) else None,
        callbacks=[killer(options[name]) for name, killer in killers if name in options],
    )


def _run(output: str, options: dict[str, Any], environment: dict[str, str]) -> None:
    gc.freeze()  # every training ends in a collection, which need not look at what was imported
    os.environ.update(environment)
    torch.set_num_threads(1)
    train(make_plan(Path(output), options))


def start_process(output: Path, *, environment: dict[str, str] | None = None, **options: Any) -> Any:
    """Start a run in a process of its own."""
    return fork(_run, str(output), options, environment or {})


def run_process(output: Path, **options: Any) -> int:
    """Run to the end, or to the kill; returns the exit code, negative for a signal."""
    process = start_process(output, **options)
    process.join()
    return int(process.exitcode)
