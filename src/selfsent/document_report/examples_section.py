"""The part of the page with examples: questions that two ways of searching answer differently."""

from collections.abc import Mapping, Sequence
from typing import Any

from selfsent.document_report.figures import SYSTEMS, in_sentence
from selfsent.document_report.plain_text import entries, in_page
from selfsent.document_report.quality import system_name

_MAX_QUERY, _MAX_TEXT = 300, 160


def examples_section(report: Mapping[str, Any]) -> str:
    """Show each question with the first answers of every system side by side, the right document marked."""
    shown = [card for one in entries(report.get("examples")) if (card := _card(one))]
    if not shown:
        return ""
    return (
        "<h2>Where the model and BM25 disagree</h2>\n<p>Each question is a part of a held-out document; the right "
        "answer is the document it was taken from.</p>\n" + "\n".join(shown)
    )


def _card(example: Mapping[str, Any]) -> str:
    answers = {name: entries(example[name]) for name in SYSTEMS if name in example}
    if not answers or not example.get("query"):
        return ""
    right = example.get("right")
    lists = "".join(
        f"<div><h4>{system_name(name)}</h4>{_answers(found, right)}</div>" for name, found in answers.items()
    )
    said = "; ".join(_place(name, found, right) for name, found in answers.items())
    return (
        f"<article class='example'><h3>{in_page(example['query'], limit=_MAX_QUERY)}</h3>"
        f"{f'<p>The right document: {said}.</p>' if right is not None else ''}"
        f"<div class='answers'>{lists}</div></article>"
    )


def _place(name: str, found: Sequence[Mapping[str, Any]], right: object) -> str:
    """Say at which place a system has the right document."""
    place = next((place for place, one in enumerate(found, 1) if _is_right(one, right)), None)
    if place:
        return f"{in_sentence(name)} has it at place {place}"
    among = f" among its first {len(found)} answers" if len(found) > 1 else ""
    return f"{in_sentence(name)} does not have it{among}"


def _is_right(answer: Mapping[str, Any], right: object) -> bool:
    return right is not None and answer.get("document") == right


def _answers(found: Sequence[Mapping[str, Any]], right: object) -> str:
    items = "".join(f"<li>{_answer(one, is_right=_is_right(one, right))}</li>" for one in found)
    return f"<ol>{items}</ol>" if items else "<p>no answer</p>"


def _answer(answer: Mapping[str, Any], *, is_right: bool) -> str:
    title, document = answer.get("title"), answer.get("document")
    name = in_page(title or document)
    place = f"<small>{in_page(document)}</small>" if title and document and document != title else ""
    mark = " <span class='right'>✓ right document</span>" if is_right else ""
    return f"<b>{name}</b>{mark}{place}<div>{in_page(answer.get('text'), limit=_MAX_TEXT)}</div>"
