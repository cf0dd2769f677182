"""Trees: of the phrase that matched, and of two sentences side by side."""

import re
from typing import Any

import pytest
from tests.serving.page.conftest import NO_PLAYWRIGHT, PHONE, Open
from tests.serving.page.stand_in import Service

expect = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT).expect


def lit(page: Any, kind: str = "lit") -> list[str]:
    """The words that are lit, in the first tree that has some."""
    return page.locator(f".tree .{kind}:has(text) text").all_text_contents()


def open_tree(page: Any) -> None:
    page.locator(".answer button[aria-expanded]").first.click()
    page.wait_for_selector(".near li")


def test_a_node_that_is_pointed_at_lights_its_words_and_lists_its_nearest_passages(visit: Open) -> None:
    page = visit("?q=parental")
    open_tree(page)
    # The stand-in puts each word on top of all before it; the phrase is the first three words.
    assert lit(page) == ["Parental", "leave", "begins"]
    page.locator(".tree g[role=treeitem]", has_text="child").first.hover()
    assert lit(page) == ["child"]
    expect(page.locator(".near h3")).to_have_text("Nearest to child")
    expect(page.locator(".near li a").first).to_have_text("Leave")
    assert page.evaluate("[...CSS.highlights.get('lit')][0].toString()") == "child"
    page.mouse.move(5, 5)
    assert lit(page) == ["Parental", "leave", "begins"]
    assert page.evaluate("[...CSS.highlights.get('lit')][0].toString()") == "Parental leave begins"


def test_the_keyboard_walks_the_tree(visit: Open) -> None:
    page = visit("?q=parental")
    open_tree(page)
    page.locator(".tree g[tabindex='0']").focus()
    assert lit(page) == ["Parental", "leave", "begins"]
    page.keyboard.press("ArrowUp")
    assert lit(page) == ["Parental", "leave", "begins", "on"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert lit(page) == ["Parental", "leave"]
    page.keyboard.press("ArrowRight")
    assert lit(page) == ["begins"]
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text(re.compile("Nearest to .begins.: Leave"))
    assert page.locator(".tree [aria-selected=true]").get_attribute("aria-label") == "begins"


def test_wider_shows_more_of_the_tree(visit: Open) -> None:
    page = visit("?q=parental")
    open_tree(page)
    words = page.locator(".tree text")
    narrow = words.count()
    page.click("text=Wider")
    assert words.count() > narrow or page.locator("text=Wider").is_disabled()
    page.click("text=Closer")
    assert words.count() == narrow


def test_a_model_without_trees_has_no_button_for_them(visit: Open, service: Service) -> None:
    service.has_trees = False
    page = visit("?view=compare&a=one flight&b=a flight")
    page.wait_for_selector(".gauge")
    page.wait_for_timeout(200)
    assert page.locator(".tree").count() == 0
    assert page.locator("#complaint").is_hidden()


def test_two_sentences_are_compared_with_their_trees_side_by_side(visit: Open) -> None:
    page = visit("?view=compare")
    page.fill("#sentence-first", "the flight is paid")
    page.fill("#sentence-second", "a flight is booked")
    page.wait_for_selector(".tree >> nth=1")
    assert page.locator(".figure b").text_content() == "0.333"  # two words of six
    assert "a=the+flight+is+paid&b=a+flight+is+booked" in page.evaluate("location.search")
    boxes = [page.locator(".trees figure").nth(side).bounding_box() for side in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    page.locator(".tree >> nth=0").locator("g[role=treeitem]", has_text="flight").hover()
    expect(page.locator(".caption")).to_have_text("flight is nearest to flight: 1.000")
    assert lit(page) == ["flight"]
    assert lit(page, "echo") == ["flight"]


def test_words_stand_below_each_other_on_a_phone(visit: Open) -> None:
    page = visit("?q=parental", viewport=PHONE, has_touch=True, is_mobile=True)
    open_tree(page)
    lefts = {round(box["x"]) for box in (one.bounding_box() for one in page.locator(".tree text").all()) if box}
    assert len(lefts) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    picture = page.locator(".scrolls")
    assert picture.evaluate("element => element.scrollWidth <= element.clientWidth")


def test_a_tree_that_does_not_come_is_told_in_one_line(visit: Open, service: Service) -> None:
    page = visit("?q=parental")
    page.wait_for_selector(".answer")
    service.refusals = [(500, "the model is broken")]
    page.locator(".answer button[aria-expanded]").first.click()
    page.wait_for_selector("#complaint:not([hidden])")
    assert "(500: the model is broken)" in page.locator("#complaint").text_content()
