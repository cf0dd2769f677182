"""Sentences of docstrings: prose is kept; code, tables, markup and fields are dropped."""

import inspect
import re
from collections.abc import Iterator

_UNDERLINE = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}")
_DOCTEST = re.compile(r"(>>>|\.\.\. |In \[\d+\]:|\$ |%\w)")
_DIRECTIVE = re.compile(r"\.\.(\s|$)")
_PROSE_DIRECTIVE = re.compile(r"\.\. (?:note|warning|tip|important|caution|hint|attention|seealso)::\s*")
_FIELD = re.compile(r"[:@](?:param(?:eter)?|arg(?:ument)?|key(?:word)?|r?type|returns?|raises?|[ic]?var|yields?)\b")
_BULLET = re.compile(r"(?:[-*+•]|\(?[0-9a-zA-Z][.)])\s+")
_TABLE = re.compile(r"[|+]|.*\S {3,}\S.* {3,}\S")
_SECTION = re.compile(
    r"(?:args|arguments|parameters|other parameters|keyword arg(?:ument)?s|keywords|kwargs|params|returns?|yields?"
    r"|raises|attributes|methods|examples?|usage|see also|references|inputs?|outputs?|shape|members|receives|warns|todo"
    r"|members|fields|properties|options|required|optional|defaults?|api endpoint|api docs|source)\s*:?",
    re.IGNORECASE,
)
_PROSE_SECTION = re.compile(
    r"(?:notes?|warnings?|description|summary|overview|introduction|background)\s*:?", re.IGNORECASE
)

_MARKUP = (
    (re.compile(r":[\w:+.-]+:`(?:[^`<]*<)?[~!]?([^`>]*)>?`"), r"\1"),  # :class:`~a.B`, :ref:`text <label>`
    (re.compile(r"`([^`<]+?)\s*<[^`>]*>`_{0,2}"), r"\1"),  # `text <address>`_
    (re.compile(r"!?\[([^\]]+)\]\([^)\s]*\)"), r"\1"),  # [text](address)
    (re.compile(r"\[(?:\d+|[A-Z]\w*\d)\]_?|\[\d+\]_"), ""),  # [1]_ and [CIT2002]_
    (re.compile(r"``?([^`]+?)``?_{0,2}"), r"\1"),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=[^\s*])([^*]+?)(?<=\S)\*(?!\w)"), r"\1"),
    (re.compile(r"\s+([.,;])(?=\s|$)"), r"\1"),
)

_END = re.compile(r"(?<=[.!?])[\"')\]\u201d\u2019]*\s+(?=[\"'(\[\u201c\u2018]?[A-Z0-9])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|fig|figs|eq|eqs|no|nos|vol|pp|p|ch|sec|sect|dr|mr|mrs|ms|prof|st|jr|sr|inc|ltd|co|approx"
    r"|resp|ref|refs|ex|ver|v|incl|excl|max|min|esp|viz|dept|ed|eds|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec)"
    r"|(?<![\w.])[A-Za-z])\.$",
    re.IGNORECASE,
)
_MAX_ABBREVIATION = 8  # characters
_WORD = re.compile(r"[^\W\d_]{2,}")
_CODE = re.compile(r"[{}\\<>=|]|\w\(\)?.*\)\.\w|https?://|::|__|->|\$")

_MIN_WORDS = 4
_MAX_WORDS = 80
_MIN_LETTER_SHARE = 0.7


def sentences_of(docstring: str) -> list[str]:
    """Split a docstring into the sentences of its prose.

    Args:
        docstring: As it stands in the source.

    Returns:
        Sentences in order, each on one line without markup. What reads like code, a table, a signature or a list of
        parameters is left out, as is a fragment of fewer than four words.
    """
    found: list[str] = []
    for number, paragraph in enumerate(_paragraphs(inspect.cleandoc(docstring))):
        sentences = list(split_sentences(_plain(paragraph)))
        if number == 0 and len(sentences) == 1 and sentences[0][-1].isalnum():
            sentences[0] += "."  # a summary line often lacks its full stop
        found.extend(sentence for sentence in sentences if _is_prose(sentence))
    return found


def split_sentences(paragraph: str) -> Iterator[str]:
    """Split running text after ``.``, ``!`` or ``?`` before a capital or digit, except after abbreviations."""
    start = 0
    for end in sentence_ends(paragraph):
        yield paragraph[start:end].strip()
        start = end
    if rest := paragraph[start:].strip():
        yield rest


def sentence_ends(text: str, start: int = 0, end: int | None = None) -> Iterator[int]:
    """Find where sentences begin that follow another one: ``split_sentences`` as offsets.

    Args:
        text: Running text.
        start: Where the first sentence begins.
        end: Look no further than this; ``None`` looks to the end.
    """
    for found in _END.finditer(text, start, len(text) if end is None else end):
        if not _ABBREVIATION.search(text, max(start, found.start() - _MAX_ABBREVIATION), found.start()):
            yield found.end()
            start = found.end()


class _Blocks:
    """Walks over the lines of one docstring and keeps those of prose, joined to paragraphs."""

    def __init__(self) -> None:
        self.paragraphs: list[str] = []
        self._lines: list[str] = []
        self._skipped_indent: int | None = None
        self._in_doctest = False

    def flush(self) -> None:
        if self._lines:
            self.paragraphs.append(" ".join(self._lines))
            self._lines.clear()

    def skip_deeper_than(self, indent: int) -> None:
        """Leave out the lines that stand deeper than ``indent``, up to the first that does not."""
        self.flush()
        self._skipped_indent = indent

    def add(self, line: str) -> None:
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if not text:
            self.flush()
            self._in_doctest = False
            return
        if self._skipped_indent is not None and indent > self._skipped_indent:
            return
        self._skipped_indent = None
        self._in_doctest = self._in_doctest or _DOCTEST.match(text) is not None
        if not self._in_doctest:
            self._add_text(text, indent)

    def _add_text(self, text: str, indent: int) -> None:
        if prose := _PROSE_DIRECTIVE.match(text):
            self.flush()
            text = text[prose.end() :]
        elif _DIRECTIVE.match(text) or _FIELD.match(text) or _is_section(text):
            self.skip_deeper_than(indent)
            return
        if _TABLE.match(text) or _PROSE_SECTION.fullmatch(text):
            self.flush()
            return
        if bullet := _BULLET.match(text):
            self.flush()
            text = text[bullet.end() :]
        if text:
            self._lines.append(text.removesuffix("::"))
        if text.endswith("::"):
            self.skip_deeper_than(indent)


def _is_section(text: str) -> bool:
    return text.endswith(":") and _SECTION.fullmatch(text) is not None


def _paragraphs(docstring: str) -> list[str]:
    """Join the lines of prose to paragraphs."""
    blocks = _Blocks()
    lines = _without_fences(docstring.expandtabs().splitlines())
    skipping = False
    for position, line in enumerate(lines):
        following = lines[position + 1].strip() if position + 1 < len(lines) else ""
        if _UNDERLINE.fullmatch(line.strip()):
            continue
        if _UNDERLINE.fullmatch(following):  # a title: the section under it is prose, or a table of parameters
            blocks.flush()
            skipping = _SECTION.fullmatch(line.strip()) is not None
        elif not skipping:
            blocks.add(line)
    blocks.flush()
    return blocks.paragraphs


def _without_fences(lines: list[str]) -> list[str]:
    kept: list[str] = []
    fence = ""
    for line in lines:
        text = line.strip()
        if fence:
            fence = "" if text.startswith(fence) else fence
        elif text.startswith(("```", "~~~")):
            fence = text[:3]
            kept.append("")
        else:
            kept.append(line)
    return kept


def without_markup(paragraph: str) -> str:
    """Take the inline markup of reStructuredText and Markdown away."""
    for pattern, replacement in _MARKUP:
        paragraph = pattern.sub(replacement, paragraph)
    return paragraph


def _plain(paragraph: str) -> str:
    """Take the inline markup away and normalise whitespace."""
    return " ".join(without_markup(paragraph).split())


def _is_prose(sentence: str) -> bool:
    words = sentence.split()
    if not _MIN_WORDS <= len(words) <= _MAX_WORDS or not (sentence[0].isalnum() or sentence[0] in "\"'(\u201c\u2018"):
        return False
    if (
        _CODE.search(sentence)
        or len(_WORD.findall(sentence)) < _MIN_WORDS - 1
        or sentence[-1] not in ".!?)\"'\u201d\u2019"
    ):
        return False
    letters = sum(character.isalpha() or character.isspace() for character in sentence)
    return letters >= _MIN_LETTER_SHARE * len(sentence)
