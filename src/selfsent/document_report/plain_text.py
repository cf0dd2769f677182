"""Text of a person's files as data: without characters that a page or a terminal would execute."""

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

# Control characters but tab and newline, lone surrogates (bytes of a file name that are not UTF-8).
_NOT_SHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Embeddings, overrides and isolates turn the text after them around; a page isolates every text with <bdi> instead.
_TURNS_AROUND = re.compile("[\u202a-\u202e\u2066-\u2069]")


def plain(value: object, *, limit: int | None = None) -> str:
    """Give a value as text that can be shown.

    Control characters become U+FFFD, characters that turn the direction of writing around are dropped.

    Args:
        value: Any value; ``None`` is empty.
        limit: Number of characters to keep; what is cut ends with an ellipsis.
    """
    text = "" if value is None else str(value)
    text = _TURNS_AROUND.sub("", _NOT_SHOWN.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n")))
    return text if limit is None or len(text) <= limit else f"{text[: limit - 1]}…"


def one_line(value: object, *, limit: int | None = None) -> str:
    """Give a value as ``plain`` does, each run of white space as one space."""
    return plain(" ".join(plain(value).split()), limit=limit)


def in_page(value: object, *, limit: int | None = None) -> str:
    """Give a value as HTML that shows it on one line and acts on nothing, its direction of writing its own."""
    return f"<bdi>{escape(one_line(value, limit=limit))}</bdi>"


def entries(value: object) -> list[Mapping[str, Any]]:
    """Give the mappings in a list that may be missing."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []


def mapping(value: object) -> Mapping[str, Any]:
    """Give a mapping that may be missing; empty where it is."""
    return value if isinstance(value, Mapping) else {}


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """Give a number with its noun: ``1 document``, ``3,411 passages``."""
    return f"{number:,.0f} {noun if number == 1 else plural or f'{noun}s'}"


def joined(parts: Iterable[str]) -> str:
    """Join parts of a sentence: ``a, b and c``."""
    *most, last = list(parts) or [""]
    return f"{', '.join(most)} and {last}" if most else last
