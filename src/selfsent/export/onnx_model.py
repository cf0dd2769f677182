"""Writing a transformer as a graph of ONNX, from token ids to the embedding of a text, checked against torch."""

import importlib.util
import logging
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from torch import Tensor, nn

from selfsent.errors import UserError
from selfsent.export.model_folder_files import write_json, write_module_files
from selfsent.export.token_rows import tokenizer_of
from selfsent.runtime.onnx_texts import GRAPH, OUTPUT, OnnxSettings, read_onnx

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
TOLERANCE = 1e-4
"""Largest difference between values of the graph's embeddings and torch's, of embeddings of length 1 or less."""

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_TRACED = ("A cat sleeps.", "Two dogs run along the beach until the evening comes.")
_CHECKED = (*_TRACED, "", "a", "The committee approved the new budget. " * 40)


def require_transformer(model: SentenceTransformer) -> None:
    """Refuse a model that is no transformer.

    Raises:
        UserError: It is another.
    """
    if not isinstance(model[0], Transformer):
        raise UserError(
            f"--format onnx is for transformers, got a model that begins with {type(model[0]).__name__}; it runs"
            " without torch already, and --format int8 makes it smaller"
        )


def require_onnx() -> None:
    """Refuse to go on without the packages of the extra ``onnx``.

    Raises:
        UserError: One of them is not installed.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"--format onnx needs {', '.join(missing)}: `pip install 'selfsent[onnx]'`")


def write_onnx(model: SentenceTransformer, folder: Path) -> None:
    """Write a transformer with all modules behind it as one graph, its tokenizer and its settings.

    Args:
        model: The model.
        folder: A folder that is there.

    Raises:
        UserError: The model is no transformer, it cannot be traced, or the graph gives other embeddings than torch.
    """
    require_transformer(model)
    require_onnx()
    tokenizer = tokenizer_of(model)
    limit = model.max_seq_length
    if limit is not None:
        tokenizer.enable_truncation(limit)
    tokenizer.save(str(folder / "tokenizer.json"))
    was_training = model.training
    model.eval()
    features = model.preprocess(list(_TRACED))
    inputs = tuple(name for name in _INPUTS if name in features)
    _trace(model, {name: features[name] for name in inputs}, folder / GRAPH)
    wrapped: Any = model[0].tokenizer
    settings = OnnxSettings(
        inputs=inputs,
        dimension=int(model.encode(_TRACED[0]).shape[-1]),
        max_tokens=limit,
        pad_id=wrapped.pad_token_id or 0,
        pads_left=wrapped.padding_side == "left",
    )
    write_json(folder / "config.json", asdict(settings))
    write_module_files(model, folder, [("selfsent.modules.OnnxEncoder", "")])
    _check(model, folder, _CHECKED)
    model.train(was_training)


class _Pipeline(nn.Module):
    """The modules of a model, from their inputs to the embedding, as a function of tensors."""

    def __init__(self, model: SentenceTransformer, names: Sequence[str]) -> None:
        super().__init__()
        self.inner = nn.ModuleList(list(model.children()))
        self.names = tuple(names)

    def forward(self, *values: Tensor) -> Tensor:
        features: Any = dict(zip(self.names, values, strict=True))
        for module in self.inner:
            features = module(features)
        return features[OUTPUT]


def _trace(model: SentenceTransformer, features: dict[str, Tensor], path: Path) -> None:
    batch, width = torch.export.Dim("batch"), torch.export.Dim("tokens")
    pipeline = _Pipeline(model, list(features)).eval()
    former = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells that torchvision is not there
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own innards
            program: Any = torch.onnx.export(
                pipeline,
                tuple(value.cpu() for value in features.values()),
                dynamo=True,
                input_names=list(features),
                output_names=[OUTPUT],
                dynamic_shapes=(tuple({0: batch, 1: width} for _ in features),),
                verbose=False,
            )
            program.save(path)
    except Exception as error:  # whatever a model's code makes of being traced
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"this transformer cannot be written as a graph of ONNX: {reason}; use it with torch"
        ) from error
    finally:
        logging.getLogger("torch.onnx").setLevel(former)


def _check(model: SentenceTransformer, folder: Path, texts: Sequence[str]) -> None:
    expected = np.asarray(model.encode(list(texts), prompt="", show_progress_bar=False))
    found = read_onnx(folder).features(texts).embeddings
    scale = max(float(np.linalg.norm(expected, axis=1).max()), 1.0)
    difference = float(np.abs(found - expected).max()) / scale
    if not difference <= TOLERANCE:
        raise UserError(
            f"the graph of ONNX gives other embeddings than torch (by {difference:.1e}, {TOLERANCE:.0e} is allowed);"
            " the model's tokenizer or one of its modules does what a graph cannot: use it with torch"
        )
