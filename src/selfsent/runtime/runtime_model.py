"""A model that was opened without torch; it encodes as a ``SentenceTransformer`` does."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypedDict, Unpack

import numpy as np

from selfsent.errors import UserError
from selfsent.options import unknown_option
from selfsent.runtime.later_modules import Features, LaterModule
from selfsent.runtime.saved_files import Floats
from selfsent.runtime.tree_texts import TextTree, TreeTexts
from selfsent.trees.tree import Tree

DOCUMENT_PROMPTS = ("document", "passage", "corpus")
"""Names of prompts in the order in which the host's ``encode_document`` looks for one."""
_BATCH_CHARACTERS = 1 << 16
"""Characters encoded at once, or one longer text: memory holds two embeddings a token."""


class FirstModule(Protocol):
    """What turns texts into embeddings of tokens."""

    builds_trees: bool

    @property
    def dimension(self) -> int:
        """Values of an embedding."""
        ...

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that are read; None for all."""
        ...

    def features(self, texts: Sequence[str]) -> Features:
        """Embed the tokens of texts."""
        ...

    def num_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, uncut."""
        ...


class HostOptions(TypedDict, total=False):
    """Options of the host's ``encode`` that change no embedding."""

    batch_size: int
    show_progress_bar: bool | None
    convert_to_numpy: bool


def _require_known(options: Any) -> None:
    names = list(HostOptions.__annotations__)
    unknown = next((name for name in options if name not in names), None)
    if unknown is not None:
        raise UserError(unknown_option(unknown, names, owner="encode without torch"))


class RuntimeModel:
    """Encodes texts without torch, with the vectors, prompts and errors of the host's model.

    Args:
        path: The folder it was opened from.
        first: Its first module.
        later: The modules behind it, in order.
        prompts: Named prompts.
        default_prompt_name: The prompt where none is named.

    Example:
        >>> open_model("./model").encode(["a text"]).shape  # doctest: +SKIP
        (1, 256)
    """

    def __init__(
        self,
        path: Path,
        first: FirstModule,
        later: Sequence[LaterModule] = (),
        *,
        prompts: Mapping[str, str],
        default_prompt_name: str | None = None,
    ) -> None:
        self.path = path
        self.prompts = dict(prompts)
        self.default_prompt_name = default_prompt_name
        self._first = first
        self._later = tuple(later)
        self.dimension = self._embed([""]).shape[1]

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text, with its prompt, that are read; None for all."""
        return self._first.max_tokens

    @property
    def builds_trees(self) -> bool:
        """Whether the model finds a tree over the tokens of a text."""
        return self._first.builds_trees

    def get_embedding_dimension(self) -> int:
        """Values of an embedding, under the host's name."""
        return self.dimension

    def encode(
        self,
        texts: Sequence[str] | str,
        prompt_name: str | None = None,
        *,
        prompt: str | None = None,
        **options: Unpack[HostOptions],
    ) -> Floats:
        """Encode texts.

        Args:
            texts: The texts, or one.
            prompt_name: Prompt to put before each; default: the model's default prompt, if it has one.
            prompt: The prompt itself, instead of its name.
            **options: Options of the host that change no embedding; accepted and not needed.

        Returns:
            Float32 embeddings, ``(N, D)``; of one text ``(D,)``.

        Raises:
            UserError: There is no such prompt, or no such option.
        """
        _require_known(options)
        if prompt is None:
            prompt = self._prompt(prompt_name)
        if isinstance(texts, str):
            return self.encode([texts], prompt=prompt)[0]
        prompted = [prompt + text for text in texts] if prompt else list(texts)
        parts = [self._embed(batch) for batch in _batches(prompted)]
        return np.concatenate(parts) if parts else np.zeros((0, self.dimension), dtype=np.float32)

    def encode_query(self, texts: Sequence[str] | str, **options: Unpack[HostOptions]) -> Floats:
        """Encode queries, with the prompt ``query`` where the model has one."""
        return self.encode(texts, "query" if "query" in self.prompts else None, **options)

    def encode_document(self, texts: Sequence[str] | str, **options: Unpack[HostOptions]) -> Floats:
        """Encode documents, with the prompt ``document``, ``passage`` or ``corpus`` where the model has one."""
        name = next((name for name in DOCUMENT_PROMPTS if name in self.prompts), None)
        return self.encode(texts, name, **options)

    def num_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, uncut."""
        return self._first.num_tokens(texts)

    def tree_of(self, text: str) -> TextTree:
        """Find the tree of a text, with the embedding of every node.

        Raises:
            UserError: The model builds no trees.
        """
        return self._trees.tree_of(text)

    def tree_over_words(self, words: Sequence[str]) -> Tree:
        """Find the tree over whole words.

        Raises:
            UserError: The model builds no trees.
        """
        return self._trees.tree_over_words(words)

    @property
    def _trees(self) -> TreeTexts:
        if not isinstance(self._first, TreeTexts):
            raise UserError(f"{self.path} builds no trees; name a tree model")
        return self._first

    def _prompt(self, name: str | None) -> str:
        if name is not None and name not in self.prompts:
            known = ", ".join(map(repr, self.prompts)) or "none"
            raise UserError(f"prompt_name must be one of the model's prompts ({known}), got {name!r}")
        return self.prompts.get(name or self.default_prompt_name or "", "")

    def _embed(self, texts: Sequence[str]) -> Floats:
        features = self._first.features(texts)
        for module in self._later:
            module(features)
        return features.embeddings


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Cut texts into batches of about as many characters; an embedding does not depend on its batch."""
    batch: list[str] = []
    num_characters = 0
    for text in texts:
        if batch and num_characters + len(text) > _BATCH_CHARACTERS:
            yield batch
            batch, num_characters = [], 0
        batch.append(text)
        num_characters += len(text)
    if batch:
        yield batch
