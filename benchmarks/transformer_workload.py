"""Unsupervised contrastive training of a transformer of BERT-Tiny's size: the host's trainer and loss beside ours."""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import BertConfig, BertModel, PrinterCallback, ProgressCallback, TrainerCallback, set_seed

from selfsent.data.tokenizer import train_tokenizer
from selfsent.losses import InfoNCELoss
from selfsent.training.arguments import training_arguments
from selfsent.training.trainer import ExactTrainer

TEMPERATURE = 0.05


class StepClock(TrainerCallback):
    """Notes when each step ends."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Note the time."""
        self.ends.append(time.perf_counter())

    def seconds(self) -> float:
        """Seconds from the end of the first step to the end of the last."""
        return self.ends[-1] - self.ends[0]


def small_transformer(sentences: list[str], folder: Path, *, vocab_size: int, max_seq_length: int = 32) -> Path:
    """Write an untrained BERT of 2 layers of 128 (BERT-Tiny), with a tokenizer trained on the sentences.

    The table has ``vocab_size`` rows, as a real one has, even where the sentences do not yield as many pieces.
    """
    tokenizer = train_tokenizer(sentences, vocab_size=vocab_size)
    tokenizer.model_max_length = max_seq_length
    config = BertConfig(
        vocab_size=vocab_size,
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=512,
        pad_token_id=tokenizer.pad_token_id,
    )
    set_seed(0)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def opened(folder: Path, max_seq_length: int = 32) -> SentenceTransformer:
    """Open a transformer with mean pooling."""
    transformer = Transformer(str(folder), max_seq_length=max_seq_length)
    return SentenceTransformer(modules=[transformer, Pooling(int(transformer.config.hidden_size))], device="cpu")


def host_training(folder: Path, sentences: list[str], *, batch_size: int) -> Callable[[], float]:
    """The host's trainer with its own loss: two columns of the same sentences; see `_training`."""
    model = opened(folder)
    dataset = Dataset.from_dict({"view_a": sentences, "view_b": sentences})
    loss = MultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE)
    return _training(SentenceTransformerTrainer, model, dataset, loss, batch_size)


def our_training(folder: Path, sentences: list[str], *, batch_size: int, **settings: Any) -> Callable[[], float]:
    """Our trainer and loss: one column, embedded twice in one pass; ``settings`` are further training arguments."""
    model = opened(folder)
    loss = InfoNCELoss(model, temperature=TEMPERATURE)
    return _training(ExactTrainer, model, Dataset.from_dict({"text": sentences}), loss, batch_size, **settings)


def _training(
    trainer_class: type[SentenceTransformerTrainer],
    model: SentenceTransformer,
    dataset: Dataset,
    loss: InfoNCELoss | MultipleNegativesRankingLoss,
    batch_size: int,
    **settings: Any,
) -> Callable[[], float]:
    """Give a function that trains and returns the seconds of all steps but the first.

    What a call of ``train`` costs however many steps it has, garbage collection for the most part, is not counted.
    """
    arguments = training_arguments(
        {
            "num_train_epochs": 1,
            "per_device_train_batch_size": batch_size,
            "learning_rate": 3e-5,
            "save_strategy": "no",
            "logging_strategy": "no",
            "use_cpu": True,
            "disable_tqdm": True,
            **settings,
        },
        output_dir=Path(mkdtemp()),
        seed=0,
        num_steps=len(dataset) // batch_size,
        has_evaluator=False,
    )
    trainer = trainer_class(model=model, args=arguments, train_dataset=dataset, loss=loss)
    trainer.remove_callback(ProgressCallback)
    trainer.remove_callback(PrinterCallback)

    def train() -> float:
        clock = StepClock()
        trainer.add_callback(clock)
        trainer.train()
        trainer.remove_callback(clock)
        return clock.seconds()

    return train
