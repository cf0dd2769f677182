"""The view that says one word differently."""

import re
from dataclasses import dataclass

from selfsent.views.lexicon import Lexicon
from selfsent.views.view import draw_position

_WORD = re.compile(r"\w(?:.*\w)?", re.DOTALL)
"""From the first to the last letter or digit of what whitespace separates: without quotes, brackets, full stops."""


@dataclass(frozen=True, kw_only=True)
class Synonyms:
    """Replaces one word of a text by one of its synonyms, each word that has some and each of its synonyms as likely.

    The capitals of the word are kept (``Word``, ``WORD``), and so is the punctuation around it. A text without a known
    word is given back unchanged.

    Args:
        lexicon: What may stand for what.

    Source: SimCSE (Gao et al. 2021), Table 1, "Synonym replacement"; SCT (Limkonchotiwat et al. 2023), ablation of
        augmentations.
    Differs: both take nlpaug's replacement by WordNet, which tags parts of speech and reduces words to base forms;
        here a word is looked up as it stands.
    """

    lexicon: Lexicon

    def __call__(self, texts: list[str]) -> list[str]:
        """Replace a word of each text."""
        return [self._reworded(text) for text in texts]

    def _reworded(self, text: str) -> str:
        words = text.split()
        untried = list(range(len(words)))
        while untried:
            position = untried.pop(draw_position(len(untried)))
            found = _WORD.search(words[position])
            synonyms = found and self.lexicon.synonyms.get(found.group().lower())
            if found and synonyms:
                replacement = _with_capitals_of(found.group(), synonyms[draw_position(len(synonyms))])
                words[position] = found.string[: found.start()] + replacement + found.string[found.end() :]
                return " ".join(words)
        return text


def _with_capitals_of(word: str, replacement: str) -> str:
    if len(word) > 1 and word.isupper():
        return replacement.upper()
    return replacement[0].upper() + replacement[1:] if word[0].isupper() else replacement
