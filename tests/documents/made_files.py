"""Files of the formats that only libraries write."""

import io
import zipfile
from collections.abc import Mapping, Sequence

from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OEBPS/a.opf" '
    'media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def pdf(pages: Sequence[Sequence[str]], *, title: str = "", password: str = "") -> bytes:
    """Make a PDF whose pages have these lines; an empty one is a gap."""
    stream = io.BytesIO()
    encryption = StandardEncryption(password, ownerPassword="owner") if password else None
    canvas = Canvas(stream, encrypt=encryption)
    canvas.setTitle(title)
    for lines in pages:
        for number, line in enumerate(lines):
            canvas.drawString(72, 800 - 14 * number, line)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def archive(members: Mapping[str, str | bytes]) -> bytes:
    """Make a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return stream.getvalue()


def epub(
    pages: Mapping[str, str], *, title: str, spine: Sequence[str], extra: Mapping[str, str] | None = None
) -> bytes:
    """Make a book of these pages, read in the order of the spine."""
    items = "".join(
        f'<item id="{name}" href="text/{name}.xhtml" media-type="application/xhtml+xml"/>' for name in pages
    )
    order = "".join(f'<itemref idref="{name}"/>' for name in spine)
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{title}</dc:title></metadata><manifest>{items}</manifest><spine>{order}</spine></package>"
    )
    texts = {f"OEBPS/text/{name}.xhtml": page for name, page in pages.items()}
    return archive({"META-INF/container.xml": CONTAINER, "OEBPS/a.opf": package, **texts, **(extra or {})})
