"""What a person asks of a build, and which recipe makes its model."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfsent.data.bad_rows import OnBadRow
from selfsent.documents import Unit
from selfsent.errors import UserError
from selfsent.loading import FROM_SCRATCH
from selfsent.search.ray_engine import EngineName

_NOTHING_MEASURED: Mapping[str, Any] = {"training.best": "none"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a build makes its model.

    Args:
        recipe: The recipe.
        length: The setting that says how long the model of the store learns, once the measured run has found that.
        unit: What that counts, in the plural.
        batch_size: Rows of a batch, fewer of a small corpus; ``None``: as the recipe says, of any corpus.
        if_little: Settings to try in turn where the documents are too few, or too short, to measure with.
    """

    recipe: str
    length: str
    unit: str
    batch_size: int | None = None
    if_little: Sequence[Mapping[str, Any]] = ()


_REPEATED = ("unit", "on_bad_row", "engine", "address")
"""Options that the command of the next build repeats, beside those that learning depends on."""

_CONTRAST = Plan(
    recipe="search",
    length="training.num_train_epochs",
    unit="epochs",
    if_little=(_NOTHING_MEASURED, {**_NOTHING_MEASURED, "parts": "none"}),
)
_DISTILLED = Plan(
    recipe="search-distilled",
    length="training.max_steps",
    unit="steps",
    batch_size=128,
    if_little=(_NOTHING_MEASURED,),
)
_TRANSFORMER = Plan(
    recipe="search-transformer",
    length="training.max_steps",
    unit="steps",
    batch_size=32,
    if_little=(_NOTHING_MEASURED,),
)


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """What a person asks of ``selfsent build``.

    Args:
        source: Files, a folder, ``hf:...`` or ``docs:``.
        output: Folder of the build.
        base: ``tree``, ``static``, or the folder or hub name of a transformer to start from; ``None``: a tree, whose
            vectors are those of the static model, or static where there is a teacher.
        teacher: A model that a static one learns from, on these documents.
        model: A ready model to index with, instead of learning one.
        minutes: About how long learning and measuring may take together.
        unit: What a plain text file holds.
        columns: Columns of tables that hold the text.
        on_bad_row: ``stop`` at the first bad row of a table, or ``skip`` and count.
        seed: Random seed.
        retrain: Learn anew although a model is there.
        device: Where to put the model.
        engine: ``local``, or ``ray``: the workers of Ray cut, encode and write; reading and learning stay here.
        address: ``HOST:PORT`` of a Ray cluster, or ``auto``; None for a Ray on this machine.

    Raises:
        UserError: Options contradict each other, or the minutes are not above 0.
    """

    source: str
    output: Path
    base: str | None = None
    teacher: str | None = None
    model: str | None = None
    minutes: float = 5.0
    unit: Unit = "auto"
    columns: Sequence[str | int] | None = None
    on_bad_row: OnBadRow = "stop"
    seed: int = 42
    retrain: bool = False
    device: str | None = None
    engine: EngineName = "local"
    address: str | None = None

    def __post_init__(self) -> None:
        if not self.minutes > 0:
            raise UserError(f"--minutes must be above 0, got {self.minutes:g}")
        if self.model is not None and (self.teacher or self.base):
            other = "--teacher" if self.teacher else "--base"
            raise UserError(f"--model {self.model} is ready and learns nothing; leave out {other}, or --model")
        if self.teacher is not None and self.base not in (None, "static"):
            raise UserError(f"--teacher makes a static model; leave out --base {self.base}")

    @property
    def made_of(self) -> str:
        """The base, with the default filled in."""
        return self.base or ("static" if self.teacher else "tree")

    @property
    def wanted(self) -> dict[str, Any]:
        """What learning depends on besides the documents."""
        return {"base": self.made_of, "model": self.model, "teacher": self.teacher, "seed": self.seed}

    def command(self) -> str:
        """Write the command that asks for the same again, when documents have changed; defaults are left out."""
        defaults = BuildRequest(source=self.source, output=self.output)
        words = ["selfsent", "build", self.source, "--output", str(self.output)]
        flags = flags_of({name: value for name, value in self.wanted.items() if value != defaults.wanted[name]})
        others = {name: getattr(self, name) for name in _REPEATED if getattr(self, name) != getattr(defaults, name)}
        if self.columns:
            others = {"columns": ",".join(map(str, self.columns)), **others}
        return " ".join(filter(None, (shlex.join(words), flags, flags_of(others))))

    @property
    def starts_from_transformer(self) -> bool:
        """Whether a transformer learns from the documents."""
        return self.model is None and self.made_of not in FROM_SCRATCH

    @property
    def plan(self) -> Plan:
        """How the model is made."""
        if self.teacher is not None:
            return _DISTILLED
        return _TRANSFORMER if self.starts_from_transformer else _CONTRAST


def flags_of(wanted: Mapping[str, Any]) -> str:
    """Write options as they are typed; what has no value is left out, and ``base`` where another model is named."""
    given = {name: value for name, value in wanted.items() if value is not None}
    if given.get("model") or given.get("teacher"):
        given.pop("base", None)
    return " ".join(f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in given.items())
