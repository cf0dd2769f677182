"""Writing a model's table of token embeddings in int8: a quarter of its size, each row with a scale of its own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer

from selfsent.encoding import token_limit
from selfsent.errors import UserError
from selfsent.export.model_folder_files import write_model2vec_config
from selfsent.export.token_rows import has_table, is_normalised
from selfsent.int8_rows import quantised

_WEIGHTS = "model.safetensors"


def require_table(model: SentenceTransformer) -> None:
    """Refuse a model without a table of tokens as its first module.

    Raises:
        UserError: The first module has no table of tokens, as in a transformer.
    """
    if not has_table(model):
        kind = "a transformer" if isinstance(model[0], Transformer) else f"a model that begins with {_kind(model)}"
        raise UserError(
            f"--format int8 is for tree and static models, got {kind}; take --format onnx (without torch, as exact) or"
            " --format static (a table of its tokens)"
        )


def write_int8(model: SentenceTransformer, folder: Path) -> None:
    """Write a model, the table of its first module in int8; its other weights stay as they are.

    The host's ``StaticEmbedding`` reads int8 rows and their weights by itself. Modules of ours read
    ``embedding.weight`` in int8 and ``embedding.scales``.

    Args:
        model: A model with a table.
        folder: A folder that is there.

    Raises:
        UserError: The model has no table, or it holds NaN or infinity.
    """
    require_table(model)
    model.save_pretrained(str(folder), create_model_card=False)
    modules: Any = json.loads((folder / "modules.json").read_text("utf8"))
    path = folder / str(modules[0]["path"]) / _WEIGHTS
    weights = load_file(path)
    values, scales = quantised(np.asarray(weights.pop("embedding.weight"), dtype=np.float32))
    is_hosts = str(modules[0]["type"]).startswith("sentence_transformers.")
    names = ("embeddings", "weights") if is_hosts else ("embedding.weight", "embedding.scales")
    save_file(weights | dict(zip(names, (values, scales), strict=True)), path)
    if is_hosts:
        limit = token_limit(model)
        write_model2vec_config(path.parent, is_normalised=is_normalised(model), max_tokens=limit, dtype="int8")


def _kind(model: SentenceTransformer) -> str:
    return type(model[0]).__name__
