"""Exporting a model: it is made smaller or torch-free, measured against the original, and written if it lost little."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from selfsent.atomic import atomic_directory
from selfsent.errors import UserError
from selfsent.export.cost import Change, Cost, measured_cost, some_passages
from selfsent.model_content import content_hash
from selfsent.provenance import installed_versions

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Format = Literal["static", "int8", "onnx"]
RECORD = "export.json"
MAX_LOSS = 1.0
_MEGABYTE = 1e6


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What a person asks to be exported, and how.

    Args:
        model: Folder or hub name of the model.
        output: Folder to write.
        format: ``static`` (a table of tokens), ``int8`` (a table of 8-bit numbers), ``onnx`` (a transformer's graph);
            None changes only the number of dimensions.
        dimensions: Number of dimensions to keep; None keeps all.
        reduction: How dimensions are reduced: ``pca`` keeps the directions in which embeddings differ most,
            ``truncate`` the first values, for models that were trained for that (Matryoshka).
        data: Documents that the directions are fitted on and that the suite ``own-documents`` measures with; without
            them the directions are those of the model's own table.
        data_dir: Folder of the evaluation data; where it has the seven English STS tasks, they decide.
        max_loss: Points of 100 that the export may lose.
        overwrite: Whether a model that stands at ``output`` is replaced.
    """

    model: str
    output: Path
    format: Format | None = None
    dimensions: int | None = None
    reduction: Literal["pca", "truncate"] = "pca"
    data: str | None = None
    data_dir: Path | None = None
    max_loss: float = MAX_LOSS
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export made, and what it cost.

    Args:
        output: Where it is.
        dimension: Values of an embedding.
        cost: What it cost.
    """

    output: Path
    dimension: int
    cost: Cost

    def lines(self) -> list[str]:
        """Give the lines that the command prints."""
        cost = self.cost
        size, speed = cost.num_bytes, cost.texts_a_second
        quality = [
            f"{name}: {100 * change.before:.2f} before, {100 * change.after:.2f} after ({-100 * change.loss:+.2f})"
            for name, change in (("sts7", cost.sts7), ("own-documents, nDCG@10", cost.own_documents))
            if change is not None
        ]
        unknown = "quality: not measured; name documents with --data, or the evaluation data with --data-dir"
        sizes = f"{size.before / _MEGABYTE:.1f} MB before, {size.after / _MEGABYTE:.1f} MB after"
        return [
            f"size: {sizes} ({size.after / size.before:.0%})",
            f"speed: {speed.before:,.0f} texts a second of processor time before, {speed.after:,.0f} after",
            *(quality or [unknown]),
            f"model of {self.dimension} dimensions written to {self.output}",
        ]


def export_model(request: ExportRequest) -> ExportReport:
    """Make a model smaller or torch-free, measure what that costs, and write it if it lost little.

    The folder is written aside and renamed, so that nothing half-written is ever there.

    Args:
        request: What to export, and how.

    Returns:
        What it cost.

    Raises:
        UserError: The request cannot be met, or the export loses more than ``max_loss``; then nothing is written.
    """
    _refuse(request)
    from selfsent.loading import load  # noqa: PLC0415 it imports torch, which a refusal need not wait for

    opened = load(request.model, device="cpu")
    model = _narrowed(opened, request)
    dimension = int(model.encode("dimension", show_progress_bar=False).shape[-1])
    with atomic_directory(request.output) as aside:
        _writer(request.format)(model, aside)
        cost = measured_cost(request.model, aside, data=request.data, data_dir=request.data_dir)
        _require_little_lost(cost, request.max_loss)
        record = _record(request, cost, dimension)
        (aside / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf8")
    return ExportReport(output=request.output, dimension=dimension, cost=cost)


def _refuse(request: ExportRequest) -> None:
    """Check the request before the model is opened.

    Raises:
        UserError: Nothing is asked for, a number is outside its range, or the output cannot be written.
    """
    if request.format is None and request.dimensions is None:
        raise UserError("nothing to export: name --format static, int8 or onnx, or --dimensions N, or both")
    if request.dimensions is not None and request.dimensions < 1:
        raise UserError(f"--dimensions must be 1 or more, got {request.dimensions}")
    if request.dimensions is None and request.reduction != "pca":
        raise UserError(f"--reduction {request.reduction} needs --dimensions N, the number of dimensions to keep")
    if not request.max_loss >= 0:
        raise UserError(f"--max-loss must be 0 points or more, got {request.max_loss:g}")
    output = request.output
    model = Path(request.model)
    if model.is_dir() and model.resolve().is_relative_to(output.resolve()):
        raise UserError(f"--output {output} is the model itself, or holds it; name another folder")
    if output.exists() and not request.overwrite:
        raise UserError(f"{output} exists already; name another folder, or replace the model in it with --overwrite")
    if output.is_dir() and any(output.iterdir()) and not (output / "modules.json").is_file():
        raise UserError(
            f"--output {output} must be a model to be replaced, got a folder with other files; name another folder"
        )
    if request.format == "onnx":
        from selfsent.export.onnx_model import require_onnx  # noqa: PLC0415 torch

        require_onnx()


def _narrowed(model: "SentenceTransformer", request: ExportRequest) -> "SentenceTransformer":
    """Reduce the dimensions where fewer are asked for.

    Raises:
        UserError: The model has fewer, it is of the wrong kind for the format, or there is nothing to fit on.
    """
    _require_kind(model, request.format)
    if request.dimensions is None:
        return model
    from selfsent.export.fewer_dimensions import directions_of, narrowed  # noqa: PLC0415 torch
    from selfsent.export.token_rows import has_table, token_rows, tokenizer_of  # noqa: PLC0415

    dimension = int(model.encode("dimension", show_progress_bar=False).shape[-1])
    if request.dimensions > dimension:
        raise UserError(f"--dimensions must be at most the model's {dimension}, got {request.dimensions}")
    if request.reduction == "truncate":
        vectors = None
    elif request.data is not None:
        vectors = model.encode_document(some_passages(request.data), show_progress_bar=False)
    elif has_table(model):
        vectors = token_rows(model, tokenizer_of(model))
    else:
        raise UserError(
            "--dimensions of a transformer needs texts to fit the directions on: name them with --data SOURCE, or cut"
            " embeddings to their first values with --reduction truncate"
        )
    return narrowed(model, directions_of(vectors, dimension, request.dimensions))


def _require_kind(model: "SentenceTransformer", format: Format | None) -> None:  # noqa: A002 the name of the option
    if format == "int8":
        from selfsent.export.int8_model import require_table  # noqa: PLC0415 torch

        require_table(model)
    if format == "onnx":
        from selfsent.export.onnx_model import require_transformer  # noqa: PLC0415 torch

        require_transformer(model)


def _writer(format: Format | None) -> "Callable[[SentenceTransformer, Path], None]":  # noqa: A002 the name of the option
    from selfsent.export.int8_model import write_int8  # noqa: PLC0415 torch
    from selfsent.export.onnx_model import write_onnx  # noqa: PLC0415
    from selfsent.export.static_model import write_static  # noqa: PLC0415

    def save(model: "SentenceTransformer", folder: Path) -> None:
        model.save_pretrained(str(folder), create_model_card=False)

    writers: Mapping[Format | None, Callable[[SentenceTransformer, Path], None]]
    writers = {None: save, "int8": write_int8, "onnx": write_onnx, "static": write_static}
    return writers[format]


def _require_little_lost(cost: Cost, max_loss: float) -> None:
    """Refuse an export that loses more than ``max_loss`` points.

    Raises:
        UserError: It loses more.
    """
    if cost.judged is None:
        return
    name, change = cost.judged
    lost = 100 * change.loss
    if not lost <= max_loss:
        raise UserError(
            f"the export loses {lost:.2f} points of {name} ({100 * change.before:.2f} before, {100 * change.after:.2f}"
            f" after), and --max-loss allows {max_loss:g}; nothing was written: allow more, or keep more --dimensions"
        )


def _record(request: ExportRequest, cost: Cost, dimension: int) -> dict[str, Any]:
    """What ``export.json`` says: what the model was made of, how, and what that cost."""
    asked = {name: value for name, value in asdict(request).items() if name in ("format", "dimensions", "reduction")}
    changes: dict[str, Change | None] = {
        "bytes": cost.num_bytes,
        "texts_a_second": cost.texts_a_second,
        "sts7": cost.sts7,
        "own_documents": cost.own_documents,
    }
    return {
        "model": Path(request.model).name,
        "model_hash": content_hash(request.model),
        **asked,
        "dimension": dimension,
        "cost": {name: None if change is None else asdict(change) for name, change in changes.items()},
        "versions": installed_versions(),
    }
