"""Bytes of text files to characters: byte order marks and declarations first, then UTF-8, then Windows-1252."""

import codecs
import re

FALLBACK = "selfsent-windows-1252"
"""Error handler that reads a byte that is not valid as the character Windows-1252 (or Latin-1) has there."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_DECLARATION = re.compile(
    rb"""(?:<meta\s[^>]*?charset|<\?xml\s[^>]*?encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE
)
_ESCAPED = re.compile("[\udc80-\udcff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_NUM_SNIFFED_BYTES = 4096
_WEB_NAMES = {
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "cp1252",
}


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError), "only decoding uses this handler"  # noqa: S101 our own invariant
    if error.encoding.replace("-", "").startswith(("utf16", "utf32")):
        return "\ufffd", error.end
    wrong = error.object[error.start : error.end]
    return "".join(_windows_1252(byte) for byte in wrong), error.end


def _windows_1252(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:  # five bytes have no character there
        return chr(byte)


codecs.register_error(FALLBACK, _replace)


def encoding_of(start: bytes) -> str:
    """Tell the encoding of a text file from its first bytes, or from all of them.

    Returns:
        What a byte order mark shows; else UTF-8, where more of the characters beyond ASCII are valid in it than not;
        else Windows-1252. Decode with the error handler ``FALLBACK``.
    """
    marked = next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)
    if marked or is_utf8(start):
        return marked or "utf-8"
    text = start.decode("utf-8", "surrogateescape")
    num_bad = len(_ESCAPED.findall(text))
    num_good = len(_NOT_ASCII.findall(text)) - num_bad
    return "utf-8" if num_good > num_bad else "cp1252"


def is_utf8(data: bytes) -> bool:
    """Tell whether bytes are valid UTF-8, except a character that is cut off at their end."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def is_guessed(data: bytes) -> bool:
    """Tell whether a text file does not state its encoding and is not valid UTF-8."""
    is_marked = data.startswith(tuple(mark for mark, _ in _MARKS))
    return not is_marked and not is_utf8(data) and not _DECLARATION.search(data[:_NUM_SNIFFED_BYTES])


def decode(data: bytes) -> str:
    """Decode a whole text file."""
    return data.decode(encoding_of(data), FALLBACK)


def decode_declared(data: bytes) -> str:
    """Decode a whole HTML or XML file: by its byte order mark, else by what it declares, else as any text."""
    declared = _DECLARATION.search(data[:_NUM_SNIFFED_BYTES])
    if declared is None or data.startswith(tuple(mark for mark, _ in _MARKS)):
        return decode(data)
    name = declared.group(1).decode("ascii", "replace").lower()
    try:
        return data.decode(_WEB_NAMES.get(name, name), FALLBACK if name == "utf-8" else "replace")
    except LookupError:
        return decode(data)
