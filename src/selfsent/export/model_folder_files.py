"""The files that say what an exported folder holds: its modules, its prompts."""

import json
from collections.abc import Sequence
from pathlib import Path

from sentence_transformers import SentenceTransformer


def write_json(path: Path, values: object) -> None:
    """Write values for people and programs to read."""
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf8")


def write_module_files(model: SentenceTransformer, folder: Path, modules: Sequence[tuple[str, str]]) -> None:
    """Write ``modules.json`` and what the host keeps beside it.

    Args:
        model: The model that is exported; its prompts go on.
        folder: A folder that is there.
        modules: Class and folder of each module.
    """
    entries = [
        {"idx": number, "name": str(number), "path": place, "type": kind}
        for number, (kind, place) in enumerate(modules)
    ]
    write_json(folder / "modules.json", entries)
    settings = {
        "model_type": "SentenceTransformer",
        "prompts": model.prompts,
        "default_prompt_name": model.default_prompt_name,
        "similarity_fn_name": model.similarity_fn_name,
    }
    write_json(folder / "config_sentence_transformers.json", settings)


def write_model2vec_config(folder: Path, *, is_normalised: bool, max_tokens: int | None, dtype: str) -> None:
    """Write what model2vec reads of a static model; without a limit it would read 512 tokens.

    Args:
        folder: A folder that is there.
        is_normalised: Whether embeddings are scaled to length 1.
        max_tokens: Tokens of a text that are read; None for all.
        dtype: Type of the table.
    """
    values = {"normalize": is_normalised, "max_length": max_tokens, "embedding_dtype": dtype}
    write_json(folder / "config.json", values)
