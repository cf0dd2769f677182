"""A reader of translation memories (TMX), of any size and any number of languages."""

import codecs
import itertools
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from selfsent.data.compression import open_bytes, reading
from selfsent.data.formats import BadRecord
from selfsent.data.languages import is_language_code, normal_code, unknown_code
from selfsent.errors import UserError

LanguageTexts = Mapping[str, str]
"""One text and its translations, by language code."""

AlignedRecords = Iterator[tuple[int, LanguageTexts | BadRecord]]
"""Where each stands, and its texts by language, the source language first."""

_BYTES_A_READ = 1 << 16
_DECLARATION_BYTES = 200
_DECLARED_ENCODING = re.compile(rb"""encoding\s*=\s*["']([\w.:-]+)["']""")
_UTF16_STARTS = {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
_NATIVE_CODE = frozenset({"bpt", "ept", "it", "ph", "ut"})
_NOT_XML = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")
_REFERENCE = re.compile(r"&#(x[0-9a-fA-F]{1,8}|[0-9]{1,9});")
_OPEN_REFERENCE = re.compile(r"(&#?[0-9a-zA-Z]{0,9})?\Z")
_ILLEGAL = "\ufdd0"  # a character that is legal in XML and has no meaning


def read_tmx(path: Path) -> AlignedRecords:
    """Yield the units of a translation memory; its inline codes are left out, its highlighted text is kept.

    A unit of one language is left out. Where a language comes several times, its first variant counts.

    Args:
        path: A TMX file of any version, compressed or not.

    Raises:
        UserError: While iterating: it is not well-formed XML, not TMX, or it declares entities.
    """
    units = _TmxUnits(path)
    with reading(path), open_bytes(path) as stream:
        for text in _legal_text(stream, path):
            yield from units.feed(text)
        yield from units.feed("", is_last=True)


def _legal_text(stream: IO[bytes], path: Path) -> Iterator[str]:
    """Decode XML in parts; what no XML may hold becomes ``_ILLEGAL``, so that it spoils its unit and not the file."""
    start = stream.read(_BYTES_A_READ)
    encoding = _encoding_of(start[:_DECLARATION_BYTES])
    try:
        decoder = codecs.getincrementaldecoder(encoding)("surrogateescape" if encoding == "utf-8-sig" else "replace")
    except LookupError as error:
        raise UserError(f"{path} names the encoding {encoding!r}, which is not known; save it as UTF-8") from error
    held = ""
    for chunk in itertools.chain([start], iter(lambda: stream.read(_BYTES_A_READ), b"")):
        text = held + decoder.decode(chunk)
        held = _OPEN_REFERENCE.search(text)[0]  # pyright: ignore[reportOptionalSubscript] it matches nothing as well
        yield _legal(text.removesuffix(held))
    yield _legal(held + decoder.decode(b"", final=True))


def _encoding_of(start: bytes) -> str:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if start[:2] in _UTF16_STARTS:
        return _UTF16_STARTS[start[:2]]
    declared = _DECLARED_ENCODING.search(start)
    encoding = declared[1].decode("ascii").lower() if declared else "utf-8"
    return "utf-8-sig" if encoding in ("utf-8", "utf8", "utf-16") else encoding


def _legal(text: str) -> str:
    return _REFERENCE.sub(_legal_reference, _NOT_XML.sub(_ILLEGAL, text))


def _legal_reference(reference: re.Match[str]) -> str:
    digits = reference[1]
    number = int(digits[1:], 16) if digits.startswith("x") else int(digits)
    is_legal = number <= sys.maxunicode and not _NOT_XML.match(chr(number))
    return reference[0] if is_legal else _ILLEGAL


class _TmxUnits:
    """Gathers the units of a TMX file from the events of its parser."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parser: Any = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.EntityDeclHandler = self._entity
        self._is_tmx = False
        self._default_source = self._source = self._language = ""
        self._line = 0
        self._texts: dict[str, str] = {}
        self._segment: list[str] | None = None
        self._num_native = 0
        self._done: list[tuple[int, LanguageTexts | BadRecord]] = []

    def feed(self, text: str, *, is_last: bool = False) -> Iterator[tuple[int, LanguageTexts | BadRecord]]:
        """Parse a further part and yield the units that it completes."""
        try:
            self._parser.Parse(text.encode("utf8"), is_last)
        except expat.ExpatError as error:
            raise UserError(f"{self._path} is not well-formed TMX: {error}; correct it, or export it again") from error
        if is_last and not self._is_tmx:
            raise UserError(f"{self._path} is XML but not TMX: its root is not <tmx>")
        done, self._done = self._done, []
        yield from done

    def _entity(self, *declaration: Any) -> None:
        raise UserError(f"{self._path} declares the entity {declaration[0]}; a TMX needs none: export it again")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name:
            case "tmx":
                self._is_tmx = True
            case "header":
                self._default_source = attributes.get("srclang", "")
            case "tu":
                self._line, self._texts = self._parser.CurrentLineNumber, {}
                self._source = attributes.get("srclang") or self._default_source
            case "tuv":
                self._language = normal_code(attributes.get("xml:lang") or attributes.get("lang") or "")
            case "seg":
                self._segment = []
            case _:
                self._num_native += name in _NATIVE_CODE

    def _characters(self, data: str) -> None:
        if self._segment is not None and not self._num_native:
            self._segment.append(data)

    def _end(self, name: str) -> None:
        self._num_native -= name in _NATIVE_CODE
        if name == "seg" and self._segment is not None:
            self._texts.setdefault(self._language, " ".join("".join(self._segment).split()))
            self._segment = None
        elif name == "tu" and len(self._texts) > 1:
            self._done.append((self._line, self._unit()))

    def _unit(self) -> LanguageTexts | BadRecord:
        for language, text in self._texts.items():
            if not is_language_code(language):
                return BadRecord(unknown_code(language))
            if not text:
                return BadRecord(f"the segment in {language} is empty")
            if _ILLEGAL in text:
                return BadRecord(
                    f"the segment in {language} holds a control character, or a byte of another encoding; remove it"
                )
        source = normal_code(self._source)
        if source in self._texts:
            return {source: self._texts[source], **self._texts}
        return dict(self._texts)
