"""PDF: the text of its pages, without headers and footers, with words joined that line ends broke."""

import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING

from selfsent.documents.blocks import Blocks
from selfsent.documents.sentences import is_wide
from selfsent.documents.skipped import UnreadableError

if TYPE_CHECKING:
    import pypdfium2

_HYPHEN = "\ufffe"
"""What the library writes for a hyphen at the end of a line, whose line end it drops."""

_BROKEN_WORD = re.compile(rf"(\w+)(?:{_HYPHEN}\s?|(?<=[^\W\d_])-\n(?=[^\W\d_]))(\w+)")
_LINE_END = re.compile(r"(\S)\n(\S)")
_ENDS_A_TEXT = (".", "!", "?", ":", "。", "！", "？", ")", "”", '"')  # noqa: RUF001 the marks of other scripts
_DIGITS = re.compile(r"\d+")
_NOT_A_TITLE = re.compile(
    r"(?:microsoft word - .*|untitled.*|.*\.(?:docx?|dvi|tex|indd|pdf|rtf|odt|qxd)|\W*)", re.IGNORECASE
)
_PASSWORD_ERROR = 4

_MIN_PAGES = 3
_REPEATED_SHARE = 0.4  # left and right pages differ
_NUM_EDGE_LINES = 2
_MAX_PAGE_NUMBER = 20  # characters of a line that is equal to another but for its numbers
_SHORT_LINE = 0.75


def read_pdf(stream: IO[bytes]) -> Blocks:
    """Read a PDF; its title is that of its metadata, where that is not a file name.

    Raises:
        UnreadableError: It asks for a password, or holds pictures of text only.
    """
    title, pages = _texts_of(stream)
    lines = [page.replace("\r\n", "\n").replace("\r", "\n").split("\n") for page in pages]
    if not _hold_text(lines):
        raise UnreadableError("no text in it (scanned?)", "read its pictures with a program for text recognition first")
    hyphenated = {word for page in pages for word in re.findall(r"\w+-\w+", page)}
    blocks = Blocks()
    blocks.title = title
    for paragraphs in _joined_over_pages(_paragraphs(_without_repeated(lines))):
        blocks.page()
        for paragraph in paragraphs:
            blocks.paragraph(_without_line_ends(_mended(paragraph, hyphenated)))
    return blocks


def _texts_of(stream: IO[bytes]) -> tuple[str, list[str]]:
    import pypdfium2  # noqa: PLC0415 only this format needs it

    try:
        pdf = pypdfium2.PdfDocument(stream)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD_ERROR or "password" in str(error).lower():
            raise UnreadableError("password", "save it without one") from error
        raise UnreadableError("broken", str(error)) from error
    try:
        title = pdf.get_metadata_value("Title").strip()
        return "" if _NOT_A_TITLE.fullmatch(title) else title, [_page_text(page) for page in pdf]
    finally:
        pdf.close()


def _page_text(page: "pypdfium2.PdfPage") -> str:
    textpage = page.get_textpage()
    text = textpage.get_text_range()
    textpage.close()
    page.close()
    return text


def _hold_text(pages: Sequence[Sequence[str]]) -> bool:
    return any(character.isalnum() for page in pages for line in page for character in line)


def _without_repeated(pages: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """Drop the first and last lines that many pages share, numbers aside: running titles and page numbers."""
    filled = [[line for line in page if line.strip()] for page in pages]
    edges = [{*map(_shape, [*page[:_NUM_EDGE_LINES], *page[-_NUM_EDGE_LINES:]])} for page in filled]
    counts = Counter(shape for edge in edges for shape in edge)
    least = max(_MIN_PAGES, _REPEATED_SHARE * len(pages))
    repeated = {shape for shape, count in counts.items() if count >= least}
    kept = [_without_edges(list(page), repeated) for page in pages]
    return kept if _hold_text(kept) else pages


def _without_edges(page: list[str], repeated: set[str]) -> list[str]:
    for position in (0, -1):
        for _ in range(_NUM_EDGE_LINES):
            while page and not page[position].strip():
                page.pop(position)
            if page and _shape(page[position]) in repeated:
                page.pop(position)
    return page


def _shape(line: str) -> str:
    line = " ".join(line.split())
    return _DIGITS.sub("0", line) if len(line) <= _MAX_PAGE_NUMBER else line


def _paragraphs(pages: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """Yield the paragraphs of each page: a short line ends one, where the next begins like a new text."""
    lengths = [len(line) for page in pages for line in page if line.strip()]
    short = _SHORT_LINE * (statistics.quantiles(lengths, n=10)[-1] if len(lengths) > 1 else 0)
    for page in pages:
        paragraphs: list[str] = []
        last = ""
        for line in (line.strip() for line in page):
            if line and (not last or (len(last) < short and not line[0].islower())):
                paragraphs.append(line)
            elif line:
                paragraphs[-1] += f"\n{line}"
            last = line
        yield paragraphs


def _joined_over_pages(pages: Iterator[list[str]]) -> Iterator[list[str]]:
    """Put the rest of a paragraph that continues on the next page to the page it begins on."""
    previous: list[str] | None = None
    for page in pages:
        if previous and page and page[0][0].islower() and not previous[-1].endswith(_ENDS_A_TEXT):
            previous[-1] += f"\n{page.pop(0)}"
        if previous is not None:
            yield previous
        previous = page
    if previous is not None:
        yield previous


def _mended(paragraph: str, hyphenated: set[str]) -> str:
    """Join words that were broken at line ends; a hyphen stays where the document writes the word with it elsewhere."""

    def join(found: re.Match[str]) -> str:
        word = f"{found.group(1)}-{found.group(2)}"
        return word if word in hyphenated else found.group(1) + found.group(2)

    return _BROKEN_WORD.sub(join, paragraph)


def _without_line_ends(paragraph: str) -> str:
    return _LINE_END.sub(
        lambda found: found.group(1) + _gap(found.group(1), found.group(2)) + found.group(2), paragraph
    )


def _gap(before: str, after: str) -> str:
    """What stands between two lines: nothing in languages without spaces."""
    return "" if is_wide(before) and is_wide(after) else " "
