"""Translate texts with a sequence-to-sequence model of transformers."""

import hashlib
import logging
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoModelForSeq2SeqLM

from selfsent.errors import UserError
from selfsent.model_content import content_hash
from selfsent.shapes import TokenMask
from selfsent.views.language_model import open_language_model

_LOG = logging.getLogger(__name__)


class Translator:
    """One direction of translation: a MarianMT model, or any other that translates without being told a language.

    The translation is the most probable one that beam search finds, so a text always gets the same.

    Args:
        model: Folder or hub name of a sequence-to-sequence model with its tokenizer.
        num_beams: Beams of the search; 1 is greedy and several times faster.
        max_tokens: Longest text and longest translation, in the tokens of the model, 2 at least; fewer where the
            model allows fewer. What is longer is cut, with a warning.
        device: Where to put the model; ``None`` takes an accelerator if there is one.

    Raises:
        UserError: A number is out of range, or the model is not sequence-to-sequence, lacks a tokenizer or cannot be
            opened.
    """

    def __init__(
        self, *, model: str | Path, num_beams: int = 1, max_tokens: int = 128, device: str | None = None
    ) -> None:
        if num_beams < 1 or max_tokens < 2:  # noqa: PLR2004 a token and the one that ends
            raise UserError(f"num_beams must be at least 1 and max_tokens at least 2, got {num_beams} and {max_tokens}")
        task = "a sequence-to-sequence model"
        opened = open_language_model(model, architecture=AutoModelForSeq2SeqLM, task=task, device=device)
        self._model, self._tokenizer = opened.model, opened.tokenizer
        positions = getattr(self._model.config, "max_position_embeddings", None) or max_tokens
        self._max_tokens = min(max_tokens, positions, self._tokenizer.model_max_length)
        self._num_beams = num_beams
        self._warned = False
        self.sha256 = hashlib.sha256(f"{content_hash(model)} {num_beams} {self._max_tokens}".encode()).hexdigest()
        """Hash of all that a translation depends on: the model's content, beams and longest text."""

    @torch.inference_mode()
    def __call__(self, texts: list[str]) -> list[str]:
        """Translate a batch of texts.

        Returns:
            A translation each, perhaps empty where the model says nothing.
        """
        encoded = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt"
        ).to(self._model.device)
        self._warn_of_cuts(encoded["attention_mask"])
        generate = cast("Any", self._model).generate
        ids = generate(**encoded, num_beams=self._num_beams, do_sample=False, max_length=self._max_tokens)
        return [str(text).strip() for text in self._tokenizer.batch_decode(ids, skip_special_tokens=True)]

    def _warn_of_cuts(self, attention_mask: TokenMask) -> None:
        num_full = int((attention_mask.sum(1) == self._max_tokens).sum())
        if num_full and not self._warned:
            self._warned = True
            _LOG.warning(
                "%d of %d texts fill all of the %d tokens that are translated, so what is longer is cut; later batches "
                "are not reported",
                num_full,
                len(attention_mask),
                self._max_tokens,
            )
