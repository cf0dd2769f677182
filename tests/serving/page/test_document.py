"""A document read in full, at the passage that answered."""

from typing import Any

import pytest
from tests.serving.page.conftest import NO_PLAYWRIGHT, Open

expect = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT).expect


def middle(page: Any) -> float:
    box = page.locator(".here").bounding_box()
    return box["y"] + box["height"] / 2


def test_it_opens_at_the_passage_with_the_matches_marked(visit: Open) -> None:
    page = visit("?q=rule 217")
    page.click(".answer h2 a >> nth=0")
    page.wait_for_selector(".here mark")
    here = page.locator(".here")
    assert here.text_content() == "Section 217 says that rule 217 of the house applies."
    assert here.locator("mark").all_text_contents() == ["217", "rule", "217"]
    assert 0 < middle(page) < 860
    assert page.evaluate("scrollY") > 2000
    assert page.locator(".reading").text_content().startswith("Section 0 says")
    assert page.locator(".reading").text_content().endswith("rule 299 of the house applies.")


def test_an_address_opens_it_in_a_new_tab_with_its_marks(visit: Open) -> None:
    page = visit("?q=rule 217")
    page.wait_for_selector(".answer")
    address = page.locator(".answer h2 a").first.get_attribute("href")
    other = visit(address)
    other.wait_for_selector(".here mark")
    assert other.locator(".here mark").all_text_contents() == ["217", "rule", "217"]
    assert 0 < middle(other) < 860


def test_escape_goes_back_to_the_answer_that_was_opened(visit: Open) -> None:
    page = visit("?q=flight")
    page.locator(".answer h2 a").nth(1).click()
    page.wait_for_selector(".here")
    page.keyboard.press("Escape")
    expect(page.locator("#view-search")).to_be_visible()
    expect(page.locator(".answer h2 a").nth(1)).to_be_focused()
    assert page.evaluate("location.search") == "?q=flight"


def test_escape_leads_to_the_answers_where_there_is_no_way_back(visit: Open) -> None:
    page = visit("?view=document&id=travel.md&q=flight")
    page.wait_for_selector(".reading")
    page.keyboard.press("Escape")
    page.wait_for_selector(".answer")
    assert page.evaluate("location.search") == "?q=flight"


def test_offsets_count_characters_as_the_service_does(visit: Open) -> None:
    text = "🎉🎉 The party 🎈 is held in July."
    page = visit(f"?view=document&id=party.md&start={len(text) + 2}&end={len(text) + 36}")
    page.wait_for_selector(".here")
    assert page.locator(".here").text_content() == "Children are welcome at the party."


def test_a_document_that_is_not_there_is_told_in_one_line(visit: Open) -> None:
    page = visit("?view=document&id=gone.md")
    page.wait_for_selector("#complaint:not([hidden])")
    assert "The store holds no document gone.md." in page.locator("#complaint").text_content()
    assert page.locator("#document-heading").text_content() == "This document is not here"


def test_a_title_without_a_text_is_said_to_be_one(visit: Open) -> None:
    page = visit("?view=document&id=title-only.md")
    page.wait_for_selector(".reading")
    assert "has a title and no text" in page.locator(".reading").text_content()


def test_hebrew_runs_from_the_right(visit: Open) -> None:
    page = visit("?view=document&id=right-to-left.md")
    page.wait_for_selector(".reading")
    assert page.evaluate("getComputedStyle(document.querySelector('.reading')).direction") == "rtl"


def test_typing_in_the_field_leaves_the_document_for_the_answers(visit: Open) -> None:
    page = visit("?view=document&id=travel.md")
    page.wait_for_selector(".reading")
    page.locator("body").press("/")
    page.keyboard.type("receipts")
    page.wait_for_selector(".answer")
    assert page.locator("#view-document").is_hidden()
    expect(page.locator("#query")).to_be_focused()
