"""Writing a static model: a folder that sentence-transformers, model2vec and the runtime open alike."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer

from selfsent.encoding import token_limit
from selfsent.export.model_folder_files import write_model2vec_config, write_module_files
from selfsent.export.token_rows import distilled, has_table, is_normalised, token_rows, tokenizer_of

_STATIC = "sentence_transformers.models.StaticEmbedding"
_NORMALIZE = "sentence_transformers.models.Normalize"


def write_static(model: SentenceTransformer, folder: Path) -> None:
    """Write a model's tokens as a static model.

    Prompts are kept. A transformer's tokens are distilled (``selfsent.export.token_rows.distilled``).

    Args:
        model: The model.
        folder: A folder that is there.

    Raises:
        UserError: The model has no token embeddings, or no tokenizer that can be written.
    """
    tokenizer = tokenizer_of(model)
    rows = token_rows(model, tokenizer)
    limit = token_limit(model) if has_table(model) else None
    if not has_table(model):
        rows = distilled(rows, tokenizer)
    if limit is not None:
        tokenizer.enable_truncation(limit)
    save_file({"embeddings": np.ascontiguousarray(rows)}, folder / "model.safetensors")
    tokenizer.save(str(folder / "tokenizer.json"))
    end = [(_NORMALIZE, "1_Normalize")] if is_normalised(model) else []
    write_module_files(model, folder, [(_STATIC, ""), *end])
    write_model2vec_config(folder, is_normalised=is_normalised(model), max_tokens=limit, dtype="float32")
