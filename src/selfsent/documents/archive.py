"""Zip archives that are documents (docx, epub): opened with limits, so that a small file cannot fill the memory."""

import zipfile
from typing import IO, Any

from selfsent.documents.skipped import UnreadableError

MAX_UNPACKED_BYTES = 256 * 2**20
"""Most bytes that are unpacked of one file: a book of 40 million words has fewer."""

MAX_RATIO = 200
"""Largest ratio of unpacked to packed bytes: text packs to a fifth, tables to a fiftieth, only made-up data to less."""

_MIN_BYTES_FOR_RATIO = 16 * 2**20
_OLE_MAGIC = b"\xd0\xcf\x11\xe0"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
"""A copy of the preceding element for old programs; not read."""


class Archive:
    """An open archive that counts what is unpacked from it.

    Args:
        stream: The file, able to seek.

    Raises:
        UnreadableError: It is not an archive, or an Office file with a password.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        if stream.read(len(_OLE_MAGIC)) == _OLE_MAGIC:
            raise UnreadableError("password", "save it without one (or as .docx, if it is an old .doc)")
        self._zip = zipfile.ZipFile(stream)
        self._num_unpacked_bytes = 0

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def read(self, name: str) -> bytes:
        """Unpack a member.

        Raises:
            UnreadableError: It is missing, encrypted, or too large.
        """
        if name not in self:
            raise UnreadableError("broken", f"it lacks its part {name}")
        member = self._zip.getinfo(name)
        if member.flag_bits & 1:
            raise UnreadableError("password", "save it without one")
        self._num_unpacked_bytes += member.file_size
        ratio = member.file_size / max(1, member.compress_size)
        if self._num_unpacked_bytes > MAX_UNPACKED_BYTES or (
            member.file_size > _MIN_BYTES_FOR_RATIO and ratio > MAX_RATIO
        ):
            raise UnreadableError("too large when unpacked", f"{name} unpacks to {member.file_size / 2**20:.0f} MiB")
        return self._zip.read(member)


def parse_xml(data: bytes, *, is_lenient: bool = False) -> Any:
    """Parse a part to its root element (``lxml.etree``).

    Args:
        data: The part.
        is_lenient: Continue after errors.
    """
    from lxml import etree  # noqa: PLC0415  # pyright: ignore[reportAttributeAccessIssue] compiled; only two formats need it

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, recover=is_lenient)
    root = etree.fromstring(data, parser)
    etree.strip_elements(root, _FALLBACK, with_tail=False)
    return root
