"""Take the pictures of report and page in light and dark: ``python -m tools.screenshots BUILD "a query"``.

BUILD is a folder that ``selfsent build`` made; the pictures go to docs/pictures. Needs Chromium and the extra ``dev``.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
SCHEMES = {"light": "", "dark": "-dark"}
SIZE: Any = {"width": 1100, "height": 860}


@contextmanager
def served(build: Path) -> Iterator[str]:
    """Serve a build, and give its address."""
    command = [sys.executable, "-m", "selfsent", "serve", str(build), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            found = re.search(r"http://\S+", line)
            if found:
                yield found[0]
                return
        raise SystemExit("the service did not start")
    finally:
        process.terminate()
        process.wait(timeout=60)


def take(browser: Browser, address: str, name: str, *, query: str | None = None) -> None:
    """Take a page in both colour schemes.

    Args:
        browser: The browser.
        address: The page.
        name: Name of the picture.
        query: What to type into the search field.
    """
    for scheme, suffix in SCHEMES.items():
        context = browser.new_context(viewport=SIZE, color_scheme=scheme)
        page = context.new_page()
        page.goto(address)
        if query is not None:
            page.get_by_role("searchbox").or_(page.locator("input[type=search]")).first.fill(query)
        page.wait_for_timeout(4000)
        page.screenshot(path=PICTURES / f"{name}{suffix}.png")
        context.close()


def main(build: Path, query: str) -> int:
    """Take all pictures."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        take(browser, (build / "report.html").resolve().as_uri(), "report")
        with served(build) as address:
            take(browser, address, "search", query=query)
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2]))
