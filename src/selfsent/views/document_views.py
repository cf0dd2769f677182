"""Views of documents: what stands in one document belongs together, and no label is needed to know it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from selfsent.errors import UserError
from selfsent.views.pair_transform import VIEW_A, VIEW_B
from selfsent.views.view import draw_position

DocumentView = Literal["document", "crops", "title"]
"""``document``: a sentence against the rest of its document; ``crops``: two runs of its words; ``title``: its title
against its text."""

DOCUMENT_VIEWS: tuple[DocumentView, ...] = get_args(DocumentView)

SENTENCE_END = "\n"
"""What separates the sentences of a row's ``text``."""

_FIRST_SENTENCE_SHARE = 0.5
_LEAST_CROP, _LARGEST_CROP = 0.1, 0.5


@dataclass(frozen=True)
class DocumentPair:
    """Maps rows of documents to two views of each: a transform for ``Dataset.set_transform``.

    A row has a ``title`` (perhaps empty), a ``text`` whose sentences are separated by ``SENTENCE_END``, and a
    ``label``, the number of its document, which is handed on.

    Args:
        view: ``document``: half of the time the first sentence and else one drawn at random, against title and the
            other sentences; ``crops``: two runs of words, drawn apart from each other, of a tenth to a half of the
            text each; ``title``: the title (of a row without one, the first sentence) against the text.

    Source: Inverse Cloze Task (Lee et al. 2019) for ``document``; independent cropping (Izacard et al. 2022) for
    ``crops``.

    Raises:
        UserError: There is no such view.
    """

    view: DocumentView

    def __post_init__(self) -> None:
        if self.view not in DOCUMENT_VIEWS:
            raise UserError(f"view must be one of {', '.join(DOCUMENT_VIEWS)}, got {self.view!r}")

    def __call__(self, batch: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Draw both views of each row."""
        draw = DRAWS[self.view]
        rows = zip(batch["title"], batch["text"], strict=True)
        pairs = [draw(title, text.split(SENTENCE_END)) for title, text in rows]
        return {
            VIEW_A: [anchor for anchor, _ in pairs],
            VIEW_B: [positive for _, positive in pairs],
            "label": list(batch["label"]),
        }


def _sentence_and_rest(title: str, sentences: list[str]) -> tuple[str, str]:
    """Take one sentence out; of a document of one sentence, the title stands against it."""
    if len(sentences) == 1:
        return title, sentences[0]
    is_first = random.random() < _FIRST_SENTENCE_SHARE  # noqa: S311 texts are varied, nothing is secret
    place = 0 if is_first else draw_position(len(sentences))
    rest = [*([title] if title else []), *sentences[:place], *sentences[place + 1 :]]
    return sentences[place], " ".join(rest)


def _two_crops(title: str, sentences: list[str]) -> tuple[str, str]:
    """Draw two runs of words from title and text, each a tenth to a half of them."""
    words = " ".join([*([title] if title else []), *sentences]).split()
    return _run_of(words), _run_of(words)


def _run_of(words: list[str]) -> str:
    """Draw a run of a tenth to a half of the words."""
    share = _LEAST_CROP + random.random() * (_LARGEST_CROP - _LEAST_CROP)  # noqa: S311
    length = max(1, round(share * len(words)))
    start = draw_position(len(words) - length + 1)
    return " ".join(words[start : start + length])


def _title_and_text(title: str, sentences: list[str]) -> tuple[str, str]:
    """The title against the text; where there is none, the first sentence against the others."""
    if title:
        return title, " ".join(sentences)
    return sentences[0], " ".join(sentences[1:])


DRAWS: Mapping[DocumentView, Callable[[str, list[str]], tuple[str, str]]] = {
    "document": _sentence_and_rest,
    "crops": _two_crops,
    "title": _title_and_text,
}
"""What draws both views of a document from its title and its sentences, by the name of the view."""
