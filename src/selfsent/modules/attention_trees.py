"""Trees of sentences from the attention of a transformer, which is read and not trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from selfsent.errors import UserError
from selfsent.parsing.given_trees import one_word
from selfsent.parsing.parsed_text import ParsedText
from selfsent.trees.affinity import merged_by_affinity
from selfsent.trees.split_depths import depths_of_spans

_KEPT_TEXTS = 1_000_000


class AttentionTrees:
    """Find the tree of a text by merging neighbours that a transformer attends between most.

    The attention between two words is the mean over all layers and heads, both directions and all pairs of their
    pieces; what goes to the tokens that the tokenizer adds is left out. Words behind the last token that it reads have
    no attention and are merged from the left.

    Source: StrAE (Opper et al., EMNLP 2023), structure from attention; see `selfsent.trees.affinity`.

    Args:
        place: Folder or hub name of the transformer.

    Raises:
        UserError: It cannot be opened, gives no attention, or its tokenizer does not tell where tokens stand.
    """

    def __init__(self, place: str | Path) -> None:
        self.place = str(place)
        opened: Any = None
        try:
            opened = AutoModel.from_pretrained(self.place, use_safetensors=True, attn_implementation="eager")
            tokenizer = AutoTokenizer.from_pretrained(self.place)
        except (OSError, ValueError, ImportError, KeyError, RuntimeError, TypeError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"cannot open {place} for structure=attention: {reason}; name the folder or hub name of a transformer"
            ) from error
        if not tokenizer.is_fast or getattr(opened.config, "is_encoder_decoder", False):
            raise UserError(
                f"structure=attention must have a transformer such as BERT with a tokenizer.json, got {place}"
            )
        self.model: PreTrainedModel = opened.float().eval()
        self.tokenizer = cast("PreTrainedTokenizerFast", tokenizer)
        self._known: dict[str, ParsedText] = {}

    def save(self, folder: Path) -> None:
        """Write transformer and tokenizer into a folder."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def __call__(self, texts: Sequence[str], device: torch.device | str = "cpu") -> list[ParsedText]:
        """Give texts with their trees.

        Args:
            texts: The texts; each is computed once and kept.
            device: Where to compute.
        """
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if len(self._known) + len(missing) > _KEPT_TEXTS:
            self._known.clear()
            missing = list(dict.fromkeys(texts))
        # Each text alone: in a batch, rounding would depend on its mates, and two merges that are nearly alike on it.
        self._known |= {text: self._parsed(text, device) for text in missing}
        return [self._known[text] for text in texts]

    @torch.no_grad()
    def _parsed(self, text: str, device: torch.device | str) -> ParsedText:
        encoded: Any = self.tokenizer(text, return_offsets_mapping=True, return_attention_mask=False, verbose=False)
        word_ids = encoded.word_ids()
        firsts = {word: place for place, word in reversed(list(enumerate(word_ids))) if word is not None}
        if not firsts:
            return one_word(text)
        words = sorted(firsts)
        starts = [encoded["offset_mapping"][firsts[word]] for word in words]
        number = {word: place for place, word in enumerate(words)}
        limit = min(self.tokenizer.model_max_length, self._num_positions())
        read: Any = self.tokenizer([text], truncation=True, max_length=limit, return_tensors="pt")
        attention = self._attention(read.to(device))
        affinity = word_affinity(attention, [number.get(word) for word in read.word_ids(0)], len(words))
        return ParsedText(
            text=text,
            word_starts=np.array([end - len(text[start:end].lstrip()) for start, end in starts], dtype=np.int64),
            split_depths=depths_of_spans(len(words), merged_by_affinity(affinity).spans),
        )

    def _attention(self, tokens: Any) -> Float[np.ndarray, "T T"]:
        """The mean attention over layers and heads of one text."""
        model: Any = self.model.to(tokens["input_ids"].device)
        attentions = model(**tokens, output_attentions=True).attentions
        if not attentions:
            raise UserError(f"{self.place} gives no attention; name a transformer such as BERT")
        return torch.stack(attentions).mean(dim=(0, 1, 2)).float().cpu().numpy()

    def _num_positions(self) -> int:
        """Tokens that the transformer has positions for; RoBERTa's begin behind the padding's."""
        longest = int(getattr(self.model.config, "max_position_embeddings", 0) or 10**9)
        is_shifted = "roberta" in str(self.model.config.model_type)
        return longest - (int(self.model.config.pad_token_id or 0) + 1) * is_shifted


def word_affinity(
    attention: Float[np.ndarray, "T T"], word_of_token: Sequence[int | None], num_words: int
) -> Float[np.ndarray, "W W"]:
    """Average attention over the pieces of words.

    Args:
        attention: Attention of each token to each other.
        word_of_token: Number of each token's word; ``None`` for tokens that belong to none.
        num_words: Words of the text; those without a token have no attention.
    """
    belongs = np.zeros((num_words, len(attention)))
    for token, word in enumerate(word_of_token):
        if word is not None:
            belongs[word, token] = 1.0
    belongs /= np.maximum(belongs.sum(axis=1, keepdims=True), 1.0)
    return belongs @ attention @ belongs.T
