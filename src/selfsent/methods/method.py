"""What a method is: its options, and what it builds of them for the trainer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from datasets import Dataset

from selfsent.data.heldout import split_heldout
from selfsent.errors import UserError
from selfsent.options import PRESET, configure
from selfsent.training.run import Ingredients, Run, RunData

PAPER = "paper"
RELEASED = "released"
PRESETS = (PAPER, RELEASED)
"""What a method runs where nothing else is set: what its paper says, or what its authors' scripts ran."""


def split_for(data: RunData, dataset: Dataset) -> tuple[Dataset, Dataset | None]:
    """Hold out 5% of the rows where a run asks for them, at least two (contrastive losses need two)."""
    if not data.heldout_rows:
        return dataset, None
    num_rows = min(data.heldout_rows, max(len(dataset) // 20, 2), max(len(dataset) - 1, 1))
    return split_heldout(dataset, num_rows=num_rows)


@dataclass(frozen=True, kw_only=True)
class Released:
    """What the authors' scripts ran, where that is not what the defaults are.

    Args:
        options: Options of the method by name.
        training: Arguments of the trainer by name.
        base: What ``--base`` has to name, in words; empty where the method's own base will do.
    """

    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    training: Mapping[str, Any] = field(default_factory=dict[str, Any])
    base: str = ""


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
        released: What ``preset=released`` sets; ``None`` where no scripts of the authors are known, or they run the
            defaults.
    """

    name: str
    summary: str
    config: type[Any]
    build: Callable[[Run[Any], RunData], Ingredients]
    training: Callable[[Any], dict[str, Any]]
    takes_teacher: bool = False
    reads_documents: Callable[[Any], bool] | None = None
    released: Released | None = None

    def configure(self, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Settle options, those of a preset among them; options that are given win over the preset's.

        Args:
            options: Values by option, and perhaps ``preset``.

        Returns:
            The configuration, and the training arguments that go with it.

        Raises:
            UserError: There is no such preset, or an option is not known or may not have its value.
        """
        given = dict(options)
        preset = self._preset(given.pop(PRESET, PAPER))
        config = configure(self.config, {**preset.options, **given}, method=self.name)
        return config, {**self.training(config), **preset.training}

    def _preset(self, name: Any) -> Released:
        if name not in PRESETS:
            raise UserError(f"preset={name} must be one of {', '.join(PRESETS)}")
        if name == PAPER:
            return Released()
        if self.released is None:
            raise UserError(f"{self.name} has no preset=released: no scripts of its authors differ from its defaults")
        return self.released
