"""The command ``export``: a smaller or torch-free model, with what it costs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from selfsent.command_options import DataDir, ModelOrBuild, Overwrite, data_dir_of
from selfsent.commands import Command
from selfsent.printed_text import show


def export(
    model: ModelOrBuild,
    output: Annotated[Path, typer.Option(help="Folder of the exported model.")],
    format: Annotated[
        Literal["static", "int8", "onnx"] | None,
        typer.Option(help="static (a table of tokens), int8 (a table of 8-bit numbers), onnx (a transformer's graph)."),
    ] = None,
    dimensions: Annotated[int | None, typer.Option(help="Number of dimensions to keep.")] = None,
    reduction: Annotated[
        Literal["pca", "truncate"],
        typer.Option(help="How dimensions are reduced: pca, or truncate (models trained for that)."),
    ] = "pca",
    data: Annotated[str | None, typer.Option(help="Documents for pca and for the suite own-documents.")] = None,
    data_dir: DataDir = None,
    max_loss: Annotated[float, typer.Option(help="Points of 100 that the export may lose.")] = 1.0,
    overwrite: Overwrite = False,
) -> None:
    """Make a model smaller or torch-free; what loses more than --max-loss is not written."""
    from selfsent.export.exporting import ExportRequest, export_model

    request = ExportRequest(
        model=model,
        output=output,
        format=format,
        dimensions=dimensions,
        reduction=reduction,
        data=data,
        data_dir=data_dir_of(data_dir),
        max_loss=max_loss,
        overwrite=overwrite,
    )
    show(*export_model(request).lines())


def add_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(cls=Command)(export)
