"""The command ``tune``: settings of a recipe, searched by whole runs."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from selfsent.command_options import (
    SEED,
    Assignments,
    BadRows,
    Columns,
    DataDir,
    Device,
    FirstRow,
    MaxRows,
    header_of,
    picked,
)
from selfsent.printed_text import show


def tune(
    recipe: Annotated[str, typer.Argument(metavar="METHOD_OR_RECIPE", help="A method, or a recipe of one run.")],
    data: Annotated[str, typer.Option(help="File, folder, hf:NAME[:config][:split], or docs:.")],
    output: Annotated[Path, typer.Option(help="Folder of the trials; receives best.toml.")],
    trials: Annotated[int, typer.Option(min=1, help="Number of runs; the first has the recipe's own settings.")] = 10,
    search: Annotated[
        list[str] | None,
        typer.Option(
            help="KEY=LOW..HIGH or KEY=A,B (default: learning rate, batch size, temperature). May be repeated."
        ),
    ] = None,
    base: Annotated[str | None, typer.Option(help="Model to start from.")] = None,
    teacher: Annotated[str | None, typer.Option(help="Model to learn from.")] = None,
    epochs: Annotated[float | None, typer.Option(min=0, help="Passes over the data.")] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps; wins over --epochs.")] = None,
    max_rows: MaxRows = None,
    seed: Annotated[int | None, SEED] = None,
    set: Assignments = None,
    columns: Columns = None,
    header: FirstRow = None,
    on_bad_row: BadRows = "stop",
    data_dir: DataDir = None,
    device: Device = None,
) -> None:
    """Search settings of a recipe, judged by STS-B dev or, without it, by what `train` chooses checkpoints by."""
    from selfsent.runs.mistyped import refuse_mistyped
    from selfsent.runs.recipe import parse_assignments

    settings = parse_assignments(set or [])
    refuse_mistyped(recipe, data, settings, base=base, teacher=teacher)
    from selfsent.runs.train import Request
    from selfsent.runs.tuning import BEST_FILE, parse_space
    from selfsent.runs.tuning import tune as run

    flags = {"num_train_epochs": epochs, "max_steps": max_steps}
    request = Request(
        method=recipe,
        data=data,
        output=output,
        settings=settings,
        training={name: value for name, value in flags.items() if value is not None},
        base=base,
        teacher=teacher,
        seed=seed,
        max_rows=max_rows,
        columns=picked(columns),
        header=header_of(header),
        on_bad_row=on_bad_row,
        data_dir=data_dir,
        device=device,
    )
    found = run(request, num_trials=trials, space=parse_space(search) if search else None)
    best = output / BEST_FILE
    show(found.render(), f"the best settings are in {best}: `selfsent train {shlex.quote(str(best))} ...`")
