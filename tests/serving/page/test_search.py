"""Search as you type, typed and looked at in a browser."""

import re
from threading import Event
from typing import Any

import pytest
from tests.serving.page.conftest import NO_PLAYWRIGHT, PHONE, Open
from tests.serving.page.stand_in import NAMELESS, SCRIPT, Service

expect = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT).expect


def titles(page: Any) -> list[str]:
    return page.locator(".answer h2 a").all_text_contents()


def test_typing_finds_answers_and_the_address_keeps_the_query(visit: Open) -> None:
    page = visit()
    page.keyboard.type("parental leave")  # the field has the focus
    page.wait_for_selector(".answer")
    assert titles(page) == ["Leave"]
    assert page.evaluate("location.search") == "?q=parental+leave"
    assert page.locator(".answer .passage mark").all_text_contents() == ["Parental", "leave"]
    assert page.locator(".answer .phrase").text_content() == "Parental leave begins"
    expect(page.locator("#status")).to_contain_text(re.compile("1 answer for parental leave"))


def test_an_address_with_a_query_shows_its_answers(visit: Open, service: Service) -> None:
    page = visit("?q=flight&mode=text")
    page.wait_for_selector(".answer")
    assert sorted(titles(page)) == ["Expenses", "Travel"]
    assert page.input_value("#query") == "flight"
    assert page.locator("[name=mode]:checked").get_attribute("value") == "text"
    asked = [body for path, body in service.asked if path == "/search"]
    assert asked == [{"query": "flight", "k": 10, "mode": "text"}]


def test_a_pause_in_typing_asks_once(visit: Open, service: Service) -> None:
    page = visit()
    page.locator("#query").press_sequentially("receipts", delay=10)
    page.wait_for_selector(".answer")
    assert [body["query"] for path, body in service.asked if path == "/search"] == ["receipts"]


def test_a_late_answer_to_an_earlier_query_is_not_shown(visit: Open, service: Service) -> None:
    let_go = Event()
    service.hold["flight"] = let_go
    page = visit()
    with page.expect_request("**/search"):
        page.fill("#query", "flight")
    page.fill("#query", "receipts")
    page.wait_for_selector(".answer")
    let_go.set()
    page.wait_for_timeout(200)
    assert titles(page) == ["Expenses"]


def test_weaker_answers_are_shown_when_they_are_asked_for(visit: Open) -> None:
    page = visit("?q=leave carried over until March and taken or not by everyone flight")
    page.wait_for_selector(".answer")
    shown = titles(page)
    assert shown[0] == "Leave"
    button = page.locator(".rest button")
    assert "weaker answer" in button.text_content()
    hidden = int(button.text_content().split()[0])
    button.click()
    expect(page.locator(".answer")).to_have_count(len(shown) + hidden)
    assert page.locator(".rest button").count() == 0


def test_the_keyboard_goes_through_the_answers_and_opens_one(visit: Open) -> None:
    page = visit("?q=flight")
    page.wait_for_selector(".answer")
    page.locator("body").press("/")
    focused = "document.activeElement.textContent || document.activeElement.id"
    assert page.evaluate(focused) == "query"
    page.keyboard.press("ArrowDown")
    first = page.evaluate(focused)
    page.keyboard.press("ArrowDown")
    second = page.evaluate(focused)
    assert [first, second] == titles(page)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == "query"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == "query"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#document-heading")
    assert page.locator("#document-heading").text_content() == first


def test_a_slash_within_a_text_is_a_slash(visit: Open) -> None:
    page = visit("?view=compare")
    page.locator("#sentence-first").fill("and")
    page.locator("#sentence-first").press("/")
    assert page.input_value("#sentence-first").strip("/") == "and"
    assert page.locator("#view-compare").is_visible()


def test_markup_in_a_passage_stays_text(visit: Open) -> None:
    page = visit("?q=paste")
    page.wait_for_selector(".answer")
    assert SCRIPT in page.locator(".answer .passage").text_content()
    assert titles(page) == ["Security <b>first</b>"]
    page.click(".answer h2 a")
    page.wait_for_selector(".here")
    assert SCRIPT in page.locator(".reading").text_content()
    assert page.locator("main script, main img, main b:has-text('first')").count() == 0
    assert page.title() == "Security <b>first</b>: selfsent"


def test_marks_stand_right_behind_an_emoji(visit: Open) -> None:
    page = visit("?q=party july")
    page.wait_for_selector(".answer")
    assert page.locator(".answer .passage mark").all_text_contents() == ["party", "July"]


def test_a_text_without_a_name_is_its_own_title(visit: Open) -> None:
    page = visit("?q=lunch")
    page.wait_for_selector(".answer")
    assert titles(page) == ["The canteen serves lunch from noon until two."]
    assert page.locator(".answer h2 mark").all_text_contents() == ["lunch"]
    page.click(".answer h2 a")
    page.wait_for_selector(".here")
    assert page.locator("#document-heading").text_content() == "The canteen serves lunch from noon until two."
    assert NAMELESS not in page.inner_text("main")


def test_nothing_found_says_what_to_do(visit: Open) -> None:
    page = visit("?q=xylophone")
    page.wait_for_selector("#view-search .empty p")
    assert page.locator("#search-heading").text_content() == "Nothing found"
    assert "other words" in page.locator("#view-search .empty").text_content()
    expect(page.locator("#status")).to_contain_text(re.compile("No answer for xylophone"))


def test_without_a_query_it_says_what_is_there(visit: Open) -> None:
    page = visit()
    page.wait_for_selector(".empty p")
    assert "9 documents" in page.locator(".empty").text_content()


def test_a_condition_is_sent_when_it_is_entered(visit: Open, service: Service) -> None:
    page = visit("?q=flight")
    page.wait_for_selector(".answer")
    page.click("#filter summary")
    page.fill("#where", "title = 'Travel'")
    page.press("#where", "Enter")
    expect(page).to_have_url(re.compile("where="))
    expect(page.locator(".answer")).to_have_count(2)
    assert service.asked[-1][1]["where"] == "title = 'Travel'"


def test_a_phone_shows_it_without_scrolling_sideways(visit: Open) -> None:
    page = visit("?q=paste", viewport=PHONE, has_touch=True, is_mobile=True)
    page.wait_for_selector(".answer")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
