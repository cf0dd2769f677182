"""The pages of the site: those of docs/ and a few others, with includes, formulas and pictures put in."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.site.blocks import included
from tools.site.formulas import with_mathml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
ELSEWHERE = {
    "changelog.md": ROOT / "CHANGELOG.md",
    "contributing.md": ROOT / "CONTRIBUTING.md",
    "speed.md": ROOT / "benchmarks" / "README.md",
}
"""Pages of the site that stand elsewhere in the repository."""

_INCLUDE = re.compile(r"^<!-- include: (.+?) -->$", re.MULTILINE)
_FILE = re.compile(r"^\[([\w./-]+)\]\(((?:\.\./)+\1)\)$", re.MULTILINE)
"""A link that stands alone to a file of the repository: the site shows the file in its place."""
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)


def sources() -> dict[str, Path]:
    """The pages by their path in the site, each with the file it is made of."""
    own = {path.relative_to(DOCS).as_posix(): path for path in sorted(DOCS.rglob("*.md"))}
    return own | ELSEWHERE


def assemble(folder: Path) -> None:
    """Write all pages, pictures and styles into a folder.

    Args:
        folder: What Zensical reads; emptied first.

    Raises:
        SystemExit: A link or an include leads nowhere.
    """
    shutil.rmtree(folder, ignore_errors=True)
    pages = sources()
    problems: list[str] = []
    for name, path in pages.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        links = _Links(name=name, path=path, pages=pages, folder=folder, problems=problems)
        text = _FILE.sub(links.shown, path.read_text("utf8"))
        text = _INCLUDE.sub(lambda found: included(found[1]), text)
        text = _LINK.sub(links.rewritten, with_mathml(text))
        target.write_text(text, encoding="utf8")
    for kind in ("assets", "pictures"):
        shutil.copytree(DOCS / kind, folder / kind, dirs_exist_ok=True)
    if problems:
        raise SystemExit("\n".join(problems))


@dataclass(frozen=True, kw_only=True)
class _Links:
    """The links of one page.

    Args:
        name: The page's path in the site.
        path: The file it is made of.
        pages: All pages.
        folder: Where pages and files are put.
        problems: Receives the links that lead nowhere.
    """

    name: str
    path: Path
    pages: Mapping[str, Path]
    folder: Path
    problems: list[str]

    def shown(self, found: re.Match[str]) -> str:
        """The file that a link alone in its paragraph leads to, as a block."""
        if (self.path.parent / found[2]).resolve() == ROOT / found[1] and (ROOT / found[1]).is_file():
            return included(f"file {found[1]}")
        self.problems.append(f"{self.path.relative_to(ROOT)}: {found[2]} leads nowhere")
        return found[0]

    def rewritten(self, found: re.Match[str]) -> str:
        """One link or picture, as the site needs it."""
        address, mark, anchor = found[2].partition("#")
        if not address or "://" in address or address.startswith("mailto:"):
            return found[0]
        target = (self.path.parent / address).resolve()
        if found[1].startswith("!") and target.suffix == ".svg" and target.is_file():
            return drawn_in_page(target, found[1][2:-2])
        by_file = {file: page for page, file in self.pages.items()} | {ROOT / "README.md": "index.md"}
        up = "../" * self.name.count("/")
        if target in by_file:
            return f"{found[1]}{up}{by_file[target]}{mark}{anchor}{found[3]}"
        if target.is_relative_to(DOCS) and target.is_file():
            return f"{found[1]}{up}{target.relative_to(DOCS).as_posix()}{mark}{anchor}{found[3]}"
        if target.is_relative_to(ROOT) and target.is_file():
            copy = self.folder / "files" / target.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(target, copy)
            return f"{found[1]}{up}files/{target.relative_to(ROOT).as_posix()}{found[3]}"
        self.problems.append(f"{self.path.relative_to(ROOT)}: {found[2]} leads nowhere")
        return found[0]


def drawn_in_page(path: Path, description: str) -> str:
    """Give an SVG as part of the page, so that its ``currentColor`` is that of the page's text.

    The file's own style, which follows the system, is left out: the page's switch decides.
    """
    drawing = _STYLE.sub("", path.read_text("utf8")).replace("\n", "")
    label = description.replace('"', "&quot;")
    return f'\n<figure class="drawing" role="img" aria-label="{label}">{drawing}</figure>\n'
