"""A view that masks some word pieces and lets a masked language model fill them in."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM
from transformers.tokenization_utils_base import BatchEncoding
from typing_extensions import override

from selfsent.errors import UserError
from selfsent.views.language_model import open_language_model

_ALL = 100


class MaskedLM:
    """Masks a share of the word pieces of a text at once and fills them in; words without a mask stay as they are.

    The share is rounded to whole pieces, at least one. A piece may be filled by itself, never by a special token. A
    word that was filled is written as the tokenizer decodes its pieces, so an uncased model gives it in lower case.
    What is longer than the model's input stays as it is. A copy in another process opens the model anew.

    Args:
        model: Folder or hub name of a masked LM with a fast tokenizer.
        percent: Share of the pieces to mask, 1 to 100 (both papers: 15).
        sampled: Draw each piece from the predicted distribution instead of taking the most probable.
        batch_size: Texts at once.
        device: Where to put the model. The default, the CPU, also works in the workers of a data loader.

    Raises:
        UserError: ``percent`` or ``batch_size`` is out of range, the model cannot be opened as a masked LM, or its
            tokenizer is not a fast one.

    Source: SimCSE (Gao et al. 2021), Table 1, "MLM 15%", with BERT-base; SCT (Limkonchotiwat et al. 2023), ablation of
        augmentations.
    Differs: the papers do not say whether pieces are filled at once or one after the other.
    """

    def __init__(
        self,
        *,
        model: str | Path,
        percent: int = 15,
        sampled: bool = False,
        batch_size: int = 64,
        device: str | None = "cpu",
    ) -> None:
        if not 0 < percent <= _ALL or batch_size < 1:
            raise UserError(f"percent must be 1 to 100 and batch_size at least 1, got {percent} and {batch_size}")
        self._settings: dict[str, Any] = {"model": str(model), "percent": percent, "sampled": sampled}
        self._settings |= {"batch_size": batch_size, "device": device}
        opened = open_language_model(model, architecture=AutoModelForMaskedLM, task="a masked LM", device=device)
        self._model, self._tokenizer = opened.model, opened.tokenizer
        mask_token_id = self._tokenizer.mask_token_id
        if not self._tokenizer.is_fast or not isinstance(mask_token_id, int):
            raise UserError(
                f"the tokenizer of {model} is not a fast one with a mask token; the view masked-lm needs both"
            )
        self._mask_token_id = mask_token_id

    @override
    def __repr__(self) -> str:
        return f"MaskedLM({', '.join(f'{name}={value!r}' for name, value in self._settings.items())})"

    @override
    def __reduce__(self) -> tuple[Callable[[], "MaskedLM"], tuple[()]]:
        return partial(MaskedLM, **self._settings), ()

    def __call__(self, texts: list[str]) -> list[str]:
        """Refill some pieces of each text."""
        refilled: list[str] = list(texts)
        size: int = self._settings["batch_size"]
        by_length = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        for start in range(0, len(texts), size):
            numbers = by_length[start : start + size]
            for number, text in zip(numbers, self._refilled([texts[number] for number in numbers]), strict=True):
                refilled[number] = text
        return refilled

    @torch.inference_mode()
    def _refilled(self, texts: list[str]) -> list[str]:
        encoded = self._tokenizer(
            texts, padding=True, truncation=True, return_tensors="pt", return_special_tokens_mask=True
        )
        fillable_mask = cast("Tensor", encoded.pop("special_tokens_mask")) == 0
        fill_mask = draw_mask(fillable_mask, percent=self._settings["percent"])
        if not fill_mask.any():
            return texts
        ids = cast("Tensor", encoded["input_ids"])
        filled = ids.clone()
        filled[fill_mask] = self._predictions(encoded, fill_mask)
        return [
            _rewritten(text, encoded, row, fill_mask[row].tolist(), partial(self._decoded, filled[row].tolist()))
            for row, text in enumerate(texts)
        ]

    def _predictions(self, encoded: BatchEncoding, fill_mask: Bool[Tensor, "B T"]) -> Int[Tensor, "masked"]:
        masked_ids = cast("Tensor", encoded["input_ids"]).masked_fill(fill_mask, self._mask_token_id)
        inputs = {**encoded, "input_ids": masked_ids}
        with _only_at(self._model, fill_mask):
            output = self._model(**{name: value.to(self._model.device) for name, value in inputs.items()})
        logits: Tensor = output.logits if output.logits.ndim == 2 else output.logits[fill_mask]  # noqa: PLR2004
        logits[:, self._tokenizer.all_special_ids] = -torch.inf
        return chosen(logits.float().cpu(), sampled=self._settings["sampled"])

    def _decoded(self, ids: list[int], positions: list[int]) -> str:
        """Write the pieces of a word as they stand behind another token, for some tokenizers mark a first one."""
        mask = str(self._tokenizer.decode([self._mask_token_id]))
        pieces = [ids[position] for position in positions]
        text = self._tokenizer.decode([self._mask_token_id, *pieces], clean_up_tokenization_spaces=False)
        return str(text).removeprefix(mask).strip()


def draw_mask(fillable_mask: Bool[Tensor, "B T"], *, percent: int) -> Bool[Tensor, "B T"]:
    """Draw the positions to mask in each row, every set of them equally likely.

    Args:
        fillable_mask: Positions that may be masked.
        percent: Share of a row's fillable positions, rounded; at least one where there is any.
    """
    num_fillable = fillable_mask.sum(1, keepdim=True)
    num_masked = ((percent * num_fillable + 50) // _ALL).clamp(min=1).minimum(num_fillable)
    order = torch.rand(fillable_mask.shape).masked_fill(~fillable_mask, 2).argsort(dim=1)
    return order.argsort(dim=1) < num_masked


def chosen(logits: Float[Tensor, "masked V"], *, sampled: bool) -> Int[Tensor, "masked"]:
    """Choose a piece for each masked position: the most probable, or one drawn with its probability."""
    return torch.multinomial(logits.softmax(1), 1).squeeze(1) if sampled else logits.argmax(1)


@contextmanager
def _only_at(model: nn.Module, fill_mask: Bool[Tensor, "B T"]) -> Generator[None]:
    """Show the last layer, as wide as the vocabulary and most of a small model's work, the masked positions only."""
    last = model.get_output_embeddings()  # pyright: ignore[reportCallIssue] every model of transformers has it
    if not isinstance(last, nn.Module):
        yield
        return

    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (inputs[0][fill_mask], *inputs[1:])

    hook = last.register_forward_pre_hook(keep)
    try:
        yield
    finally:
        hook.remove()


def _rewritten(
    text: str, encoded: BatchEncoding, row: int, fill_mask: list[bool], decoded: Callable[[list[int]], str]
) -> str:
    """Replace each word that has a masked piece, from the last to the first so that offsets stay right."""
    words = encoded.word_ids(row)
    filled_words = {word for word, is_filled in zip(words, fill_mask, strict=True) if is_filled and word is not None}
    for word in sorted(filled_words, reverse=True):
        start, end = encoded.word_to_chars(row, word)
        start += len(text[start:end]) - len(text[start:end].lstrip())
        positions = [position for position, of_word in enumerate(words) if of_word == word]
        text = text[:start] + decoded(positions) + text[end:]
    return text
