"""A view by back-translation: a text translated into another language and back."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from typing_extensions import override

from selfsent.data.source_files import expanded
from selfsent.errors import UserError
from selfsent.views.translation_cache import TranslationCache
from selfsent.views.translator import Translator


class BackTranslation:
    """Translates texts into another language and back, once each: what was translated before is read from a cache.

    It is far too slow to run while a model trains: write a pair file with it (``write_pairs``) and train on that.

    Args:
        forward: Folder or hub name of a sequence-to-sequence model from the language of the texts, such as MarianMT.
        backward: The same for the way back.
        cache: A SQLite file of translations, keyed by text, content of the model and settings. It may be shared by any
            number of views; a run after a kill continues after the last whole batch.
        num_beams: Beams of the search; 1 is greedy and several times faster.
        max_tokens: Longest text and translation, in tokens (SCT: 128); what is longer is cut.
        batch_size: Texts at once.
        device: Where to put the models; ``None`` takes an accelerator if there is one.

    Raises:
        UserError: A number is out of range, or a model is not sequence-to-sequence, lacks a tokenizer or cannot be
            opened.

    Source: SCT (Limkonchotiwat et al. 2023), Section 3: two fixed views, by way of German and by way of French.
    Differs: SCT takes the translations of BSL (Zhang et al. 2021), whose search settings are not stated.
    """

    def __init__(
        self,
        *,
        forward: str | Path,
        backward: str | Path,
        cache: str | Path,
        num_beams: int = 1,
        max_tokens: int = 128,
        batch_size: int = 32,
        device: str | None = None,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, got {batch_size}")
        self._settings: dict[str, Any] = {"forward": str(forward), "backward": str(backward), "cache": str(cache)}
        self._settings |= {"num_beams": num_beams, "max_tokens": max_tokens}
        self._settings |= {"batch_size": batch_size, "device": device}
        translator = partial(Translator, num_beams=num_beams, max_tokens=max_tokens, device=device)
        self._translators = (translator(model=forward), translator(model=backward))
        self._cache = TranslationCache(path=expanded(cache))

    @override
    def __repr__(self) -> str:
        return f"BackTranslation({', '.join(f'{name}={value!r}' for name, value in self._settings.items())})"

    @override
    def __reduce__(self) -> tuple[Callable[[], "BackTranslation"], tuple[()]]:
        return partial(BackTranslation, **self._settings), ()

    def __call__(self, texts: list[str]) -> list[str]:
        """Translate each text there and back.

        Returns:
            A text each, perhaps empty where a model said nothing.

        Raises:
            UserError: The cache cannot be used.
        """
        for translator in self._translators:
            known = self._translated(translator, texts)
            texts = [known[text] for text in texts]
        return texts

    def _translated(self, translator: Translator, texts: list[str]) -> dict[str, str]:
        known = self._cache.find(translator.sha256, dict.fromkeys(texts))
        known[""] = ""  # a text that was lost on the way out has no way back
        missing = sorted({text for text in texts if text not in known}, key=lambda text: (len(text), text))
        for batch in _batches(missing, self._settings["batch_size"]):
            translations = dict(zip(batch, translator(batch), strict=True))
            self._cache.keep(translator.sha256, translations)
            known |= translations
        return known


def _batches(texts: list[str], size: int) -> Iterator[list[str]]:
    return (texts[start : start + size] for start in range(0, len(texts), size))
