"""The files of a saved module, read without torch: its configuration, its float32 weights, its tokenizer."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from selfsent.int8_rows import Int8Rows

Floats = NDArray[np.float32]
Weights = dict[str, NDArray[Any]]
Table = Floats | Int8Rows
"""An embedding for each token, ``(V, D)``; of either kind, ``table[ids]`` is float32."""

_READY_CLASSES = frozenset({"PreTrainedTokenizerFast", "TokenizersBackend"})
"""Classes of transformers that take ``tokenizer.json`` as it is; the others may build a tokenizer of their own."""


class NeedsTorch(Exception):  # noqa: N818 it is no error: the host opens such a model
    """A model, or a module of it, can be opened by the host only; the text says why."""


def read_json(path: Path) -> Any:
    """Read a file of JSON.

    Raises:
        NeedsTorch: It is not there or not readable; the host says what is wrong with it.
    """
    try:
        return json.loads(path.read_text("utf8"))
    except (OSError, ValueError) as error:
        raise NeedsTorch(f"{path} cannot be read: {error}") from error


def read_weights(folder: Path, *names: str, optional: tuple[str, ...] = ()) -> Weights:
    """Read tensors of ``model.safetensors``.

    Args:
        folder: The module's folder.
        names: Tensors that must be there, in float32.
        optional: Tensors that may be there, of any type.

    Raises:
        NeedsTorch: One is missing or of another type, or the file cannot be read.
    """
    path = folder / "model.safetensors"
    try:
        with safe_open(path, "numpy") as tensors:
            known = set(tensors.keys())
            found = {name: tensors.get_tensor(name) for name in (*names, *optional) if name in known}
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        raise NeedsTorch(f"{path} cannot be read: {error}") from error
    for name in names:
        if name not in found or found[name].dtype != np.float32:
            raise NeedsTorch(f"{path} has no {name} of float32")
    return found


def read_table(folder: Path) -> Table:
    """Read the embeddings of tokens of a module of ours, in float32 or in int8.

    Raises:
        NeedsTorch: As ``read_weights``.
    """
    found = read_weights(folder, optional=("embedding.weight", "embedding.scales"))
    table = found.get("embedding.weight")
    if table is not None and table.dtype == np.int8 and "embedding.scales" in found:
        return Int8Rows(table, found["embedding.scales"])
    return read_weights(folder, "embedding.weight")["embedding.weight"]


def read_tokenizer(folder: Path) -> Tokenizer:
    """Open ``tokenizer.json`` as it is.

    Raises:
        NeedsTorch: It is not there or not readable.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise NeedsTorch(f"{folder} has no tokenizer.json")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust library raises nothing narrower for a malformed file
        raise NeedsTorch(f"{path} cannot be read: {error}") from error


def read_wrapped_tokenizer(folder: Path) -> Tokenizer:
    """Open a tokenizer that transformers wraps, where the wrapper changes nothing of it.

    Raises:
        NeedsTorch: The wrapper is of a class of its own, cuts at the left, or adds tokens to the tokenizer.
    """
    tokenizer = read_tokenizer(folder)
    config = read_json(folder / "tokenizer_config.json")
    if not isinstance(config, dict) or config.get("tokenizer_class") not in _READY_CLASSES:
        raise NeedsTorch(f"the tokenizer in {folder} is of a class of its own")
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    missing = sorted(special_tokens(config) - added)
    if missing or config.get("truncation_side", "right") != "right":
        raise NeedsTorch(f"the tokenizer in {folder} adds tokens ({', '.join(missing)}) or cuts at the left")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def special_tokens(config: Mapping[str, Any]) -> set[str]:
    """Give the special tokens that a configuration of a tokenizer names."""
    named = [value for name, value in config.items() if name.endswith("_token")]
    for name in ("additional_special_tokens", "extra_special_tokens"):
        listed = config.get(name) or []
        named += listed.values() if isinstance(listed, dict) else listed
    texts = [value.get("content") if isinstance(value, dict) else value for value in named]
    return {text for text in texts if isinstance(text, str)}
