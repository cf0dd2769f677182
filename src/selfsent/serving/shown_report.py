"""The report of a build as a service shows it: with the names of folders, but not where they are."""

import json
from html import escape
from pathlib import Path


def shown_report(file: Path, *, show_paths: bool) -> bytes:
    """Read the page of a report.

    Args:
        file: ``report.html``; ``report.json`` beside it says which paths are on it.
        show_paths: Whether paths stay.

    Returns:
        The page; paths of the build and of its source are replaced by their names, unless ``show_paths``.
    """
    page = file.read_text("utf8")
    if show_paths:
        return page.encode()
    for path in sorted(_paths(file), key=len, reverse=True):
        page = page.replace(escape(path), escape(Path(path).name))
    return page.encode()


def _paths(file: Path) -> set[str]:
    """The paths that a report names: of the build, as it stood when the report was written, and of its source."""
    found = {str(file.parent), str(file.parent.resolve())}
    try:
        report = json.loads(file.with_name("report.json").read_text("utf8"))
        named = [*report["paths"].values(), str(report["source"])]
        found.update(str(Path(path).parent) for path in report["paths"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return found
    return {path for path in found | set(named) if "/" in path.strip("/")}
