"""What a method is: its options, and what it builds of them for the trainer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from datasets import Dataset

from selfsent.data.heldout import split_heldout
from selfsent.training.run import Ingredients, Run, RunData


def split_for(data: RunData, dataset: Dataset) -> tuple[Dataset, Dataset | None]:
    """Hold out 5% of the rows where a run asks for them, at least two (contrastive losses need two)."""
    if not data.heldout_rows:
        return dataset, None
    num_rows = min(data.heldout_rows, max(len(dataset) // 20, 2), max(len(dataset) - 1, 1))
    return split_heldout(dataset, num_rows=num_rows)


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method by its name on the command line.

    Args:
        name: ``self-strae`` and so on.
        summary: One line for people.
        config: The frozen dataclass of its options; defaults are the paper's.
        build: Builds model, loss and rows of a run from what it reads.
        training: The paper's training arguments for a configuration, as fields of the host's training arguments.
        takes_teacher: Whether it learns from a ``--teacher``.
        reads_documents: Whether, with a configuration, it learns from documents and not from texts; never by default.
    """

    name: str
    summary: str
    config: type[Any]
    build: Callable[[Run[Any], RunData], Ingredients]
    training: Callable[[Any], dict[str, Any]]
    takes_teacher: bool = False
    reads_documents: Callable[[Any], bool] | None = None
