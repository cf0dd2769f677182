"""The modules that may follow the first one of a model: pooling, dense layers, normalisation."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.runtime.saved_files import Floats, NeedsTorch, read_json, read_weights

_LEAST_NORM = np.float32(1e-12)
_ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "torch.nn.modules.activation.Tanh": np.tanh,
    "torch.nn.modules.linear.Identity": lambda values: values,
    "torch.nn.modules.activation.ReLU": lambda values: np.maximum(values, np.float32(0)),
}
_POOLING_MODES = ("mean", "max")


@dataclass
class Features:
    """The values that one module passes to the next.

    Args:
        num_tokens: Tokens of each text, ``(B,)``.
        tokens: Embeddings of all tokens, one text after another, ``(L, D)``.
        sentences: Embeddings of the texts, ``(B, D)``; None before any module made them.
    """

    num_tokens: NDArray[np.int64]
    tokens: Floats
    sentences: Floats | None = field(default=None)

    @property
    def embeddings(self) -> Floats:
        """The embeddings of the texts; a model's modules are checked when it is opened, so they are there."""
        assert self.sentences is not None, "some module made them"  # noqa: S101 our own invariant
        return self.sentences


LaterModule = Callable[[Features], None]


def read_later_module(kind: str, folder: Path) -> LaterModule:
    """Open a module by the last part of its class' name.

    Raises:
        NeedsTorch: It is of another class, or has a setting that is not known here.
    """
    if kind == "Normalize":
        return _normalise(_config(folder, required=False))
    if kind == "Pooling":
        return _pooling(_config(folder))
    if kind == "Dense":
        return _dense(folder, _config(folder))
    raise NeedsTorch(f"a module {kind} is not known here")


def _config(folder: Path, *, required: bool = True) -> dict[str, Any]:
    path = folder / "config.json"
    config = read_json(path) if required or path.is_file() else {}
    if not isinstance(config, dict):
        raise NeedsTorch(f"{path} holds no settings")
    for name in ("module_input_name", "module_output_name"):
        if config.get(name) not in (None, "sentence_embedding"):
            raise NeedsTorch(f"{path} has {name} = {config[name]!r}")
    return config


def _normalise(_: dict[str, Any]) -> LaterModule:
    def run(features: Features) -> None:
        norms = np.linalg.norm(features.embeddings, axis=1, keepdims=True)
        features.sentences = features.embeddings / np.maximum(norms, _LEAST_NORM)

    return run


def _pooling(config: dict[str, Any]) -> LaterModule:
    former = {name.removeprefix("pooling_mode_"): value for name, value in config.items() if "pooling_mode_" in name}
    chosen = config.get("pooling_mode") or [name.removesuffix("_tokens") for name, value in former.items() if value]
    modes = [chosen] if isinstance(chosen, str) else list(chosen or ["mean"])
    if not set(modes) <= set(_POOLING_MODES) or config.get("include_prompt") is False:
        raise NeedsTorch(f"pooling by {', '.join(map(str, modes))} is not known here")

    def run(features: Features) -> None:
        features.sentences = np.concatenate([pooled(features, mode) for mode in modes], axis=1)

    return run


def pooled(features: Features, mode: str) -> Floats:
    """Take the mean or the maximum of each text's tokens; of a text without any, 0 and minus infinity."""
    is_mean = mode == "mean"
    found = np.full((len(features.num_tokens), features.tokens.shape[1]), 0 if is_mean else -np.inf, np.float32)
    is_full = features.num_tokens > 0
    if is_full.any():
        starts = (np.cumsum(features.num_tokens) - features.num_tokens)[is_full]
        found[is_full] = (np.add if is_mean else np.maximum).reduceat(features.tokens, starts, axis=0)
    return found / np.maximum(features.num_tokens, 1).astype(np.float32)[:, None] if is_mean else found


def _dense(folder: Path, config: dict[str, Any]) -> LaterModule:
    name = config.get("activation_function", "torch.nn.modules.activation.Tanh")
    if config.get("use_residual") or name not in _ACTIVATIONS:
        raise NeedsTorch(f"a dense layer with {name} or a residual is not known here")
    weights = read_weights(folder, "linear.weight", optional=("linear.bias",))
    weight, bias, activation = weights["linear.weight"], weights.get("linear.bias"), _ACTIVATIONS[name]

    def run(features: Features) -> None:
        product = features.embeddings @ weight.T
        features.sentences = activation(product if bias is None else product + bias)

    return run
