"""What a method builds for one run, without training it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from selfsent.data.source import Source
from selfsent.training.run import Ingredients, Run, RunData


def built(
    build: Callable[[Run[Any], RunData], Ingredients],
    config: Any,
    source: Source,
    output: Path,
    *,
    heldout_rows: int = 0,
    **options: Any,
) -> Ingredients:
    """Build model, loss and rows of a run on the CPU that has these options."""
    run = Run(recipe="test", method="test", config=config, data=source.spec, output=output, device="cpu", **options)
    return build(run, RunData(source=source, heldout_rows=heldout_rows))
