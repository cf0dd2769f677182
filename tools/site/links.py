"""Checks of a built site: every link and anchor leads somewhere, and nothing is loaded from another host."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADING = {"script": "src", "img": "src", "link": "href", "source": "src", "iframe": "src", "video": "src"}
_NAVIGATING = {"canonical", "prev", "next", "alternate"}


class _Page(HTMLParser):
    """Collects where a page leads, what it loads, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.assets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if values.get(name))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag in _LOADING and values.get(_LOADING[tag]) and values.get("rel") not in _NAVIGATING:
            self.assets.append(values[_LOADING[tag]])


def problems_of(site: Path) -> list[str]:
    """Name the dead links and anchors of a site, and what it loads from elsewhere.

    Args:
        site: Folder of the built site.

    Returns:
        One line a problem; empty where all is well.
    """
    pages = {path: _Page(path.read_text("utf8")) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}
    problems: list[str] = []
    for path, page in pages.items():
        name = path.relative_to(site)
        problems += [f"{name}: loads {asset} from another host" for asset in page.assets if _is_remote(asset)]
        local = [target for target in (*page.links, *page.assets) if not _is_remote(target)]
        problems += [f"{name}: {target} leads nowhere" for target in local if not _leads(target, path, site, pages)]
    return problems


def _is_remote(target: str) -> bool:
    return target.startswith("//") or urlsplit(target).scheme in {"http", "https", "mailto", "data"}


def _leads(target: str, page: Path, site: Path, pages: dict[Path, _Page]) -> bool:
    """Whether a link within the site has a file, and the file the anchor."""
    parts = urlsplit(target)
    path = unquote(parts.path)
    file = (site / path.lstrip("/") if path.startswith("/") else page.parent / path).resolve() if path else page
    if file.is_dir():
        file /= "index.html"
    if not file.is_file():
        return False
    anchor = unquote(parts.fragment)
    return not anchor or anchor == "__skip" or file not in pages or anchor in pages[file].anchors
