"""The page before the real service, with a store of a few documents and a tree model with random weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.serving.page.conftest import NO_PLAYWRIGHT, Open, visiting
from tests.serving.running_service import STRANGE, running

from selfsent.serving.access import Access
from selfsent.serving.service import Service

expect = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT).expect


@pytest.fixture
def visit(browser: Any, served_store: Path) -> Iterator[Open]:
    service = Service.open(str(served_store), device="cpu")
    with running(service) as address, visiting(browser, address) as opened:
        yield opened


def test_a_search_leads_to_a_document_and_back(visit: Open) -> None:
    page = visit()
    page.fill("#query", "cat")
    page.wait_for_selector(".answer")
    first = page.locator(".answer").first
    assert first.locator("h2 a").text_content() == "Cats"
    assert first.locator("mark").first.text_content().lower() == "cat"
    first.locator("button[aria-expanded]").click()
    page.wait_for_selector(".near li")
    assert page.locator(".tree .lit").count() > 1
    first.locator("h2 a").click()
    page.wait_for_selector(".here mark")
    assert "sleeping on a roof" in page.locator(".reading").text_content()
    page.keyboard.press("Escape")
    expect(first).to_be_visible()


def test_a_document_with_a_strange_name_opens(visit: Open) -> None:
    page = visit("?q=rain northern hills")
    page.locator(".answer h2 a", has_text=STRANGE.split("\n", maxsplit=1)[0]).click()
    page.wait_for_selector(".here")
    assert page.locator(".here").text_content() == "Rain fell over the northern hills all night."


def test_sentences_are_compared_with_their_trees(visit: Open) -> None:
    page = visit("?view=compare&a=The cat sleeps&b=The cat sleeps")
    page.wait_for_selector(".tree >> nth=1")
    assert page.locator(".figure b").text_content() == "1.000"
    page.locator(".tree >> nth=0").locator("g[role=treeitem]").last.hover()
    expect(page.locator(".caption")).to_contain_text("is nearest to")


def test_the_map_and_the_facts_are_there(visit: Open) -> None:
    page = visit("?view=map")
    page.wait_for_selector("canvas", timeout=60_000)
    expect(page.locator(".map-list tbody a")).to_have_count(4)
    page.click("nav >> text=About")
    expect(page.locator("dt", has_text="documents").locator("+ dd").first).to_have_text("4")


def test_a_filter_that_names_no_column_is_told_in_one_line(visit: Open) -> None:
    page = visit("?q=cat&where=colour = 'red'")
    expect(page.locator("#complaint")).to_contain_text("colour")


def test_the_key_opens_the_service(browser: Any, served_store: Path) -> None:
    service = Service.open(str(served_store), device="cpu")
    with (
        running(service, Access(key="swordfish")) as address,
        visiting(browser, address) as visit,
    ):
        page = visit("?q=cat")
        page.fill("#key", "swordfish")
        page.keyboard.press("Enter")
        page.wait_for_selector(".answer")
