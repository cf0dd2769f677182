"""The trees that come with texts: their parses, or what the attention of a transformer makes of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from selfsent.errors import UserError
from selfsent.modules.attention_trees import AttentionTrees
from selfsent.parsing.given_trees import GivenTrees
from selfsent.parsing.parsed_text import ParsedText
from selfsent.trees.arrays import IntArray

ATTENTION_FOLDER = "attention"
"""In the folder of a saved encoder: the transformer whose attention gives the trees."""


class TextTrees:
    """Give texts with their trees.

    Args:
        given: Gives parses.
        attention: Gives the trees instead, where the structure is ``attention``.
    """

    def __init__(self, given: GivenTrees, attention: AttentionTrees | None = None) -> None:
        self.given, self.attention = given, attention

    def __call__(self, texts: Sequence[str], structure: str, device: torch.device) -> list[ParsedText]:
        """Give texts with their trees.

        Args:
            texts: The texts.
            structure: ``given`` or ``attention``.
            device: Where a transformer is run.

        Raises:
            UserError: A text has no parse, or there is no transformer.
        """
        if structure == "given":
            return [self.given(text) for text in texts]
        if self.attention is None:
            raise UserError(
                "structure=attention needs a transformer, and this encoder has none; give it one as encoder.trees_of ="
                " TextTrees(encoder.trees_of.given, AttentionTrees(MODEL))"
            )
        return self.attention(texts, device)

    def depths_over_words(self, sentences: Sequence[Sequence[str]], structure: str, device: torch.device) -> IntArray:
        """The trees of sentences whose words are known: of their text with spaces between them."""
        parses = self([" ".join(words) for words in sentences], structure, device)
        depths = [np.zeros(0, dtype=np.int64)]
        for words, parse in zip(sentences, parses, strict=True):
            ends = np.cumsum([len(word) + 1 for word in words]) - 1
            spans = [(int(end) - len(word), int(end)) for word, end in zip(words, ends, strict=True)]
            depths.append(parse.depths_over(spans))
        return np.concatenate(depths)

    def save(self, folder: str) -> None:
        """Write the transformer, if there is one, into the folder of an encoder."""
        if self.attention is not None:
            self.attention.save(Path(folder) / ATTENTION_FOLDER)
