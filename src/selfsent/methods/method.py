"""What a method is: its options, and what it builds of them for the trainer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets import Dataset
from sentence_transformers import SentenceTransformer
from torch import nn

from selfsent.data.heldout import split_heldout
from selfsent.data.source import Source
from selfsent.documents.document import Document
from selfsent.time_limit import TimeLimit


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """What a method builds from a configuration and a source.

    Args:
        model: The untrained model.
        loss: The objective, holding the model.
        dataset: Training rows in the columns the loss takes.
        heldout: Rows kept out of training for the held-out loss; ``None`` where none were asked for.
        notes: What the user should be told about data and vocabulary.
        max_seq_length: Tokens a training text is cut to, special ones included; ``None``: as many as the model reads.
    """

    model: SentenceTransformer
    loss: nn.Module
    dataset: Dataset
    heldout: Dataset | None = None
    notes: Sequence[str] = ()
    max_seq_length: int | None = None


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """Where and on what a method builds.

    Args:
        source: The texts.
        documents: The documents they are of, where the method reads documents.
        folder: A folder of the run, for the corpus file a training maps into memory.
        heldout_rows: Rows to keep out of training; 0 for none.
        base: ``--base``: path or name of a model to start from.
        teacher: ``--teacher``: path or name of a model to learn from.
        seed: Seed of the run, for choices made while building.
        device: Where to put the model.
        limit: When the run should be over.
    """

    source: Source
    folder: Path
    documents: Iterable[Document] | None = None
    heldout_rows: int = 0
    base: str | None = None
    teacher: str | None = None
    seed: int = 0
    device: str | None = None
    limit: TimeLimit = field(default_factory=TimeLimit)


def split_for(assembly: Assembly, dataset: Dataset) -> tuple[Dataset, Dataset | None]:
    """Hold out 5% of the rows where an assembly asks for them, at least two (contrastive losses need two)."""
    if not assembly.heldout_rows:
        return dataset, None
    num_rows = min(assembly.heldout_rows, max(len(dataset) // 20, 2), max(len(dataset) - 1, 1))
    return split_heldout(dataset, num_rows=num_rows)


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method by its name on the command line.

    Args:
        name: ``self-strae`` and so on.
        summary: One line for people.
        config: The frozen dataclass of its options; defaults are the paper's.
        build: Builds the ingredients.
        training: The paper's training arguments for a configuration, as fields of the host's training arguments.
        takes_teacher: Whether it learns from a ``--teacher``.
        reads_documents: Whether, with a configuration, it learns from documents and not from texts.
    """

    name: str
    summary: str
    config: type[Any]
    build: Callable[[Any, Assembly], Ingredients]
    training: Callable[[Any], dict[str, Any]]
    takes_teacher: bool = False
    reads_documents: Callable[[Any], bool] = lambda _: False
