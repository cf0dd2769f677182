"""XML parts of archives, parsed without looking anything up outside."""

from typing import Any

_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
"""A copy of the preceding element for old programs; not read."""


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
