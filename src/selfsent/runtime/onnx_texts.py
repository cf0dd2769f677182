"""Transformers without torch: a graph of ONNX, from token ids to the embedding of a text, run by onnxruntime."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from selfsent.errors import UserError
from selfsent.runtime.later_modules import Features
from selfsent.runtime.saved_files import Floats, NeedsTorch, read_json, read_tokenizer

GRAPH = "model.onnx"
OUTPUT = "sentence_embedding"
_TEXTS_AT_ONCE = 32

Tokens = dict[str, NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True)
class OnnxSettings:
    """What is saved beside a graph.

    Args:
        inputs: Names of the graph's inputs, among ``input_ids``, ``attention_mask`` and ``token_type_ids``.
        dimension: Values of an embedding.
        max_tokens: Tokens of a text that are read, those at its ends among them; None for all.
        pad_id: What shorter texts of a batch are filled up with ...
        pads_left: ... and whether it stands before them.
    """

    inputs: tuple[str, ...]
    dimension: int
    max_tokens: int | None
    pad_id: int = 0
    pads_left: bool = False


class OnnxTexts:
    """Embeds texts by a graph.

    Args:
        tokenizer: Turns texts into token ids, with the tokens at their ends.
        path: The graph.
        settings: Its settings.

    Raises:
        UserError: onnxruntime is not installed, or cannot open the graph.
    """

    builds_trees = False

    def __init__(self, tokenizer: Tokenizer, path: Path, settings: OnnxSettings) -> None:
        self.tokenizer = tokenizer
        self.settings = settings
        self._session = _session(path)

    @property
    def dimension(self) -> int:
        """Values of an embedding."""
        return self.settings.dimension

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that are read, those at its ends among them; None for all."""
        return self.settings.max_tokens

    def features(self, texts: Sequence[str]) -> Features:
        """Embed texts, those of like length together."""
        rows = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
        sentences = np.zeros((len(rows), self.dimension), dtype=np.float32)
        for start in range(0, len(order), _TEXTS_AT_ONCE):
            places = order[start : start + _TEXTS_AT_ONCE]
            sentences[places] = self.embedded(self.padded([rows[place] for place in places]))
        num_tokens = np.array([len(row) for row in rows], dtype=np.int64)
        return Features(num_tokens=num_tokens, tokens=np.zeros((0, self.dimension), np.float32), sentences=sentences)

    def num_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, uncut."""
        encoded = self.tokenizer.encode_batch(list(texts))
        ends = self.tokenizer.num_special_tokens_to_add(is_pair=False)
        return [len(text.ids) + sum(len(rest.ids) - ends for rest in text.overflowing) for text in encoded]

    def padded(self, rows: Sequence[Sequence[int]]) -> Tokens:
        """Put token ids into one matrix, with the mask of where there are any."""
        width = max(map(len, rows), default=0) or 1
        shape = (len(rows), width)
        ids = np.full(shape, self.settings.pad_id, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        for number, row in enumerate(rows):
            held = slice(width - len(row), width) if self.settings.pads_left else slice(0, len(row))
            ids[number, held], mask[number, held] = row, 1
        every = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros(shape, dtype=np.int64)}
        return {name: every[name] for name in self.settings.inputs}

    def embedded(self, tokens: Tokens) -> Floats:
        """Run the graph."""
        return self._session.run([OUTPUT], tokens)[0]


def read_onnx(folder: Path) -> OnnxTexts:
    """Open what ``selfsent export --format onnx`` wrote.

    Raises:
        NeedsTorch: Its settings or its tokenizer cannot be read.
        UserError: As ``OnnxTexts``.
    """
    config = read_json(folder / "config.json")
    try:
        settings = OnnxSettings(**(config | {"inputs": tuple(config["inputs"])}))
    except (TypeError, KeyError) as error:
        raise NeedsTorch(f"{folder / 'config.json'} holds no settings of a graph") from error
    return OnnxTexts(read_tokenizer(folder), folder / GRAPH, settings)


def _session(path: Path) -> Any:
    try:
        import onnxruntime  # noqa: PLC0415 only such a model needs it
    except ImportError as error:
        raise UserError(
            f"{path} is a graph of ONNX, and onnxruntime is not installed: `pip install 'selfsent[onnx]'`"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; its warnings tell of nodes it has simplified
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions have no base of theirs
        raise UserError(f"cannot open {path}: {' '.join(str(error).split())}; export the model anew") from error
