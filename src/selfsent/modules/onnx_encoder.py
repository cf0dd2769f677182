"""An ONNX graph as an input module: strings in, the embedding of each text out."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers.base.modules import InputModule
from tokenizers import Tokenizer
from torch import Tensor
from typing_extensions import override

from selfsent.errors import UserError
from selfsent.runtime.onnx_texts import GRAPH, OnnxTexts, read_onnx
from selfsent.runtime.saved_files import NeedsTorch

_FILES = (GRAPH, "config.json", "tokenizer.json")


class OnnxEncoder(InputModule):
    """Run what ``selfsent export --format onnx`` wrote; it has no weights that could be trained.

    Args:
        folder: The folder it was opened from.
        texts: The graph and its tokenizer.
    """

    save_in_root = True

    def __init__(self, folder: Path, texts: OnnxTexts) -> None:
        super().__init__()
        self.folder = folder
        self.texts = texts
        self.tokenizer: Tokenizer = texts.tokenizer  # pyright: ignore[reportIncompatibleVariableOverride] narrowed

    @property
    def max_seq_length(self) -> int | None:
        """Tokens of a text that are read; None for all."""
        return self.texts.max_tokens

    def get_embedding_dimension(self) -> int:
        """Values of an embedding."""
        return self.texts.dimension

    @override
    def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **_: Any) -> dict[str, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride] text only
        """Turn texts into the inputs of the graph, each ``(B, T)``."""
        encoded = self.tokenizer.encode_batch([(prompt or "") + text for text in inputs])
        tokens = self.texts.padded([encoding.ids for encoding in encoded])
        return {name: torch.from_numpy(values) for name, values in tokens.items()}

    @override
    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Add ``sentence_embedding``, ``(B, D)``."""
        tokens = {name: features[name].cpu().numpy() for name in self.texts.settings.inputs}
        features["sentence_embedding"] = torch.from_numpy(self.texts.embedded(tokens))
        return features

    @override
    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        """Copy the graph, its settings and its tokenizer."""
        for name in _FILES:
            shutil.copyfile(self.folder / name, Path(output_path) / name)

    @classmethod
    @override
    def load(cls, model_name_or_path: str, subfolder: str = "", **_: Any) -> "OnnxEncoder":  # pyright: ignore[reportIncompatibleMethodOverride] the host's own modules narrow it alike
        """Open a folder.

        Raises:
            UserError: It holds no such graph, or onnxruntime is not installed.
        """
        folder = Path(model_name_or_path) / subfolder
        try:
            return cls(folder, read_onnx(folder))
        except NeedsTorch as error:
            raise UserError(f"no ONNX graph in {folder}: {error}; export the model anew") from error


# Saved models name this path for ever (docs/decisions.md), wherever the file moves.
OnnxEncoder.__module__ = "selfsent.modules"
