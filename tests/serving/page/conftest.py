"""A browser without a window, and pages of it that look at a stand-in of the service."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.serving.page.stand_in import Service, running

NO_PLAYWRIGHT = "needs playwright: pip install 'selfsent[dev]'"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 360, "height": 740}
PATIENCE_MS = 30_000
"""How long a test waits for a page: other tests may keep the machine busy."""

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium on the path: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT)
    sync_api.expect.set_options(timeout=PATIENCE_MS)
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def address(service: Service) -> Iterator[str]:
    with running(service) as started:
        yield started


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Open]:
    """Open the page at an address."""
    with visiting(browser, address) as opened:
        yield opened


@contextmanager
def visiting(browser: Any, address: str) -> Iterator[Open]:
    """Give a function that opens the page; whatever the browser finds wrong with it fails the test."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def opened(at: str = "", *, viewport: dict[str, int] = WIDE, **options: Any) -> Any:
        contexts.append(browser.new_context(viewport=viewport, base_url=address, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
        page.on("request", lambda asked: None if asked.url.startswith(address) else wrong.append(asked.url))
        page.goto(f"/{at}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def wait_until(page: Any, condition: Callable[[], bool]) -> None:
    """Wait for what the page itself does not tell, as what it paints."""
    for _ in range(PATIENCE_MS // 50):
        if condition():
            return
        page.wait_for_timeout(50)
    pytest.fail("the page never came to it")
