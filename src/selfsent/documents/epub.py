"""Electronic books: their pages in the order of reading."""

import posixpath
from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import unquote

from selfsent.documents.archive import Archive, parse_xml
from selfsent.documents.blocks import Blocks
from selfsent.documents.charset import decode_declared
from selfsent.documents.html import add_page
from selfsent.documents.skipped import UnreadableError

_PAGE_TYPES = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml"})
_FONTS_ONLY = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


def read_epub(stream: IO[bytes]) -> Blocks:
    """Read the pages of the spine; the title is that of the book."""
    archive = Archive(stream)
    _refuse_encrypted(archive)
    container = parse_xml(archive.read("META-INF/container.xml"), is_lenient=True)
    place = next((node.get("full-path") for node in container.iter("{*}rootfile")), None)
    if not place:
        raise UnreadableError("broken", "its container names no package")
    package = parse_xml(archive.read(place), is_lenient=True)
    blocks = Blocks()
    blocks.title = next((node.text or "" for node in package.iter("{http://purl.org/dc/elements/1.1/}title")), "")
    for name in _pages(package, posixpath.dirname(place)):
        add_page(decode_declared(archive.read(name)), blocks)
    return blocks


def _pages(package: Any, folder: str) -> Iterator[str]:
    items = {node.get("id"): node for node in package.iter("{*}item")}
    for reference in package.iter("{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is not None and item.get("media-type") in _PAGE_TYPES:
            yield posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))


def _refuse_encrypted(archive: Archive) -> None:
    if "META-INF/encryption.xml" in archive:
        methods = parse_xml(archive.read("META-INF/encryption.xml"), is_lenient=True).iter("{*}EncryptionMethod")
        if any(method.get("Algorithm") not in _FONTS_ONLY for method in methods):
            raise UnreadableError("password", "it is protected against copying")
