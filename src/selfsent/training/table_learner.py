"""Learn an embedding table by the contrast of parts of documents; a run can continue from any whole epoch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from safetensors.numpy import load_file, save_file

from selfsent.errors import UserError
from selfsent.kernels.bags_of_rows import AdamSettings, SparseAdam, sums_of_rows
from selfsent.losses.part_contrast import PartBatches, part_contrast

STATE_FILE = "table.safetensors"


@dataclass(frozen=True, kw_only=True)
class LearnerSettings:
    """How a table is learned.

    Args:
        temperature: Divides cosines; above 0.
        batch_size: Stretches of a batch; fewer where the corpus has fewer.
        learning_rate: Adam's rate, constant.
        num_epochs: Passes over the stretches.

    Raises:
        UserError: A number is out of range.
    """

    temperature: float
    batch_size: int
    learning_rate: float
    num_epochs: int

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise UserError(f"temperature must be above 0, got {self.temperature}")
        if self.batch_size < 2:  # noqa: PLR2004 a contrast needs two
            raise UserError(f"batch_size must be at least 2 (a contrast needs two), got {self.batch_size}")
        if self.num_epochs < 0:
            raise UserError(f"num_epochs must be 0 or more, got {self.num_epochs}")


class TableLearner:
    """A table in training.

    Args:
        table: Where it starts, ``(rows, D)``, float32; changed in place.
        batches: Draws its batches.
        settings: How it is learned.
    """

    def __init__(self, table: Float[np.ndarray, "R D"], batches: PartBatches, settings: LearnerSettings) -> None:
        self.batches = batches
        self.settings = settings
        self.epoch = 0
        self._adam = SparseAdam(table, AdamSettings())

    @property
    def table(self) -> Float[np.ndarray, "R D"]:
        """The table as it is now."""
        return self._adam.table

    @property
    def num_steps(self) -> int:
        """Optimizer steps so far."""
        return self._adam.num_steps

    def learn_epoch(self) -> float:
        """Learn from every stretch once; give the mean loss.

        Raises:
            UserError: The loss is not finite.
        """
        losses: list[float] = []
        random = np.random.default_rng([self.batches.seed, self.epoch, 1])
        for stretches in self.batches.epoch(self.epoch, self.settings.batch_size):
            bags, skipped = self.batches.draw(stretches, random)
            found = part_contrast(sums_of_rows(self.table, bags), skipped, temperature=self.settings.temperature)
            if not np.isfinite(found.loss):
                raise UserError(
                    f"loss must be finite, got {found.loss} in epoch {self.epoch + 1}; lower training.learning_rate"
                )
            self._adam.step(bags, found.gradient, rate=self.settings.learning_rate)
            losses.append(found.loss)
        self.epoch += 1
        return float(np.mean(losses))

    def save(self, folder: Path) -> None:
        """Write table, moments and counts into a folder."""
        adam = self._adam
        state = {"table": adam.table, "mean": adam.mean, "square": adam.square}
        state["counts"] = np.array([self.epoch, adam.num_steps], dtype=np.int64)
        save_file(state, folder / STATE_FILE)

    def load(self, folder: Path) -> None:
        """Continue from what ``save`` wrote."""
        state = load_file(folder / STATE_FILE)
        self._adam.table[:], self._adam.mean[:], self._adam.square[:] = (
            state[name] for name in ("table", "mean", "square")
        )
        self.epoch, self._adam.num_steps = map(int, state["counts"])
