"""Texts to vectors with a model's ``encode``, a batch at a time; texts that are longer than the model reads."""

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from selfsent.errors import UserError
from selfsent.runtime.runtime_model import DOCUMENT_PROMPTS, RuntimeModel

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


Item = TypeVar("Item")
Vectors = NDArray[np.float32]

_NUM_ADDED = 8
"""Tokens that no letter stands for: those at the beginning and the end of a text."""


def encode_texts(encode_batch: Callable[..., Any], texts: Sequence[str], *, batch_size: int) -> Vectors:
    """Encode texts with one of the host's methods and require finite vectors.

    Args:
        encode_batch: ``encode``, ``encode_document`` or ``encode_query`` of the model.
        texts: What to encode.
        batch_size: Texts encoded at once.

    Returns:
        Float32 vectors, ``(texts, dimension)``.

    Raises:
        UserError: A vector holds NaN or infinity; its text is named.
    """
    vectors = encode_batch(list(texts), batch_size=batch_size, convert_to_numpy=True, show_progress_bar=False)
    vectors = np.asarray(vectors, dtype=np.float32)
    finite_mask = np.isfinite(vectors).all(axis=1)
    if not finite_mask.all():
        text = texts[int(np.argmin(finite_mask))]
        raise UserError(
            f"the model gives {text[:60]!r} a vector with NaN or infinity; check its training, or use another model"
        )
    return vectors


def chunked(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut a stream into lists of ``size`` items, the last one perhaps shorter."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


def token_limit(model: Any) -> int | None:
    """How many tokens of a text a model reads; None if it reads all, or is neither ours nor the host's."""
    if isinstance(model, RuntimeModel):
        return model.max_tokens
    if not _is_hosts(model):  # anything with an ``encode`` may be a teacher
        return None
    tokenizer: Any = getattr(model[0], "tokenizer", None)
    if isinstance(tokenizer, Tokenizer):
        return None if tokenizer.truncation is None else int(tokenizer.truncation["max_length"])
    limit = model.max_seq_length
    return int(limit) if tokenizer is not None and limit is not None and limit < float("inf") else None


def count_cut(model: Any, texts: Sequence[str], *, prompt: str = "") -> int:
    """Count the texts of which a model reads the beginning only.

    Cheap where texts are short: a token stands for at least one byte, so only texts of more bytes than the model reads
    tokens are tokenized.

    Args:
        model: The model; the tokenizer and the limit of its first module are what counts.
        texts: The texts, as they are given to the model.
        prompt: What the model puts before each of them.

    Returns:
        How many are longer than ``token_limit``.
    """
    limit = token_limit(model)
    if limit is None:
        return 0
    prompted = (prompt + text for text in texts)
    long_enough = [text for text in prompted if len(text.encode("utf8", "replace")) + _NUM_ADDED > limit]
    return sum(length > limit for length in num_tokens(model, long_enough))


def cut_note(model: "SentenceTransformer | RuntimeModel", num_cut: int, num_texts: int) -> str:
    """Say in one line how many texts were cut, and where."""
    return f"{num_cut:,} of {num_texts:,} texts are longer than the {token_limit(model):,} tokens the model reads: cut"


def document_prompt(model: "SentenceTransformer | RuntimeModel") -> str:
    """Give the prompt that the host's ``encode_document`` puts before a text."""
    name = next((name for name in DOCUMENT_PROMPTS if name in model.prompts), model.default_prompt_name)
    return _prompt(model, name)


def query_prompt(model: "SentenceTransformer | RuntimeModel") -> str:
    """Give the prompt that the host's ``encode_query`` puts before a text."""
    return _prompt(model, "query" if "query" in model.prompts else model.default_prompt_name)


def default_prompt(model: Any) -> str:
    """Give the prompt that the host's ``encode`` puts before a text."""
    return _prompt(model, model.default_prompt_name) if _is_known(model) else ""


def _prompt(model: "SentenceTransformer | RuntimeModel", name: str | None) -> str:
    return model.prompts.get(name or "") or ""


def num_tokens(model: "SentenceTransformer | RuntimeModel", texts: Sequence[str]) -> list[int]:
    """Tokens of each text, uncut; a transformer counts those at the beginning and the end, our own modules do not.

    Where the first module has no tokenizer, words count.
    """
    if not texts:
        return []
    if isinstance(model, RuntimeModel):
        return model.num_tokens(texts)
    tokenizer: Any = getattr(model[0], "tokenizer", None)
    if tokenizer is None:
        return [len(text.split()) for text in texts]
    if isinstance(tokenizer, Tokenizer):
        # The host reads such a tokenizer as it is; what was cut off is kept beside each text.
        encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [len(text.ids) + sum(len(rest.ids) for rest in text.overflowing) for text in encoded]
    from sentence_transformers.base.modules import Router, Transformer  # noqa: PLC0415 the model is the host's
    from transformers import PreTrainedTokenizerBase  # noqa: PLC0415

    if isinstance(tokenizer, PreTrainedTokenizerBase):
        has_ends = isinstance(model[0], (Transformer, Router))
        return list(map(len, uncut_ids(tokenizer, list(texts), has_ends=has_ends)))
    return [len(tokenizer.tokenize(text)) for text in texts]


def uncut_ids(tokenizer: Any, texts: list[str], *, has_ends: bool = False) -> list[list[int]]:
    """Tokenize whole texts; by the compiled tokenizer itself where there is one, without the cost of its wrapper.

    Args:
        tokenizer: A model's own, of transformers.
        texts: The texts.
        has_ends: Whether the tokens at the beginning and the end of a text are added.

    Returns:
        The ids of each text's tokens.
    """
    if not getattr(tokenizer, "is_fast", False):
        options = {"truncation": False, "return_attention_mask": False, "verbose": False}
        return tokenizer(texts, add_special_tokens=has_ends, **options)["input_ids"]
    backend = tokenizer.backend_tokenizer
    if backend.truncation is not None or backend.padding is not None:
        backend.no_truncation()
        backend.no_padding()
    return [encoding.ids for encoding in backend.encode_batch_fast(texts, add_special_tokens=has_ends)]


def _is_hosts(model: Any) -> bool:
    """Tell whether a model is a ``SentenceTransformer``; no model is before that library is imported."""
    host = sys.modules.get("sentence_transformers")
    return host is not None and isinstance(model, host.SentenceTransformer)


def _is_known(model: Any) -> bool:
    return isinstance(model, RuntimeModel) or _is_hosts(model)


class CutTexts:
    """Adds up, over several calls, how many texts a model cuts.

    Args:
        model: A model of the host, or one opened without torch; anything else counts as reading all of a text.
    """

    def __init__(self, model: Any) -> None:
        self._model = model if _is_known(model) else None
        self.num_texts = self.num_cut = 0

    def count(self, texts: Sequence[str]) -> None:
        """Take in some texts that are about to be encoded."""
        self.num_texts += len(texts)
        if self._model is not None:
            self.num_cut += count_cut(self._model, texts, prompt=default_prompt(self._model))

    def notes(self) -> list[str]:
        """Say how many texts were cut; empty where none was cut."""
        if self._model is None or not self.num_cut:
            return []
        return [cut_note(self._model, self.num_cut, self.num_texts)]
