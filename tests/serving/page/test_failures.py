"""What the page says when an answer does not come, each in one line."""

import re
from threading import Event
from typing import Any

import pytest
from tests.serving.page.conftest import NO_PLAYWRIGHT, Open
from tests.serving.page.stand_in import REPORT, Service

expect = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT).expect


def line(page: Any) -> Any:
    return page.locator("#complaint span")


def test_a_busy_server_is_asked_again_after_the_pause_that_it_names(visit: Open, service: Service) -> None:
    page = visit()
    page.wait_for_selector(".empty p")
    service.refusals = [(429, "the queue is full")]
    page.fill("#query", "flight")
    expect(page.locator("#status")).to_contain_text(re.compile("The server is busy; asking again in 1 s"))
    expect(page.locator(".answer")).to_have_count(2)
    assert page.locator("#complaint").is_hidden()


def test_a_server_that_stays_busy_is_told_and_can_be_asked_again(visit: Open, service: Service) -> None:
    page = visit()
    page.wait_for_selector(".empty p")
    service.refusals = [(429, "the queue is full")] * 3
    page.fill("#query", "flight")
    expect(line(page)).to_have_text("The server is busy; try again in a moment.")
    page.click("#complaint button")
    expect(page.locator(".answer")).to_have_count(2)
    expect(page.locator("#complaint")).to_be_hidden()


def test_a_broken_server_is_told_with_its_reason(visit: Open, service: Service) -> None:
    page = visit()
    page.wait_for_selector(".empty p")
    service.refusals = [(503, "the store is being written")]
    page.fill("#query", "flight")
    expect(line(page)).to_have_text("The server could not answer (503: the store is being written).")


def test_a_refused_request_is_told_as_the_service_puts_it(visit: Open, service: Service) -> None:
    page = visit()
    page.wait_for_selector(".empty p")
    service.refusals = [(422, "the filter names no column: colour")]
    page.fill("#query", "flight")
    expect(line(page)).to_have_text("the filter names no column: colour")
    assert page.locator("#complaint button").is_hidden()  # it would be refused again
    page.fill("#query", "receipts")
    expect(page.locator(".answer")).to_have_count(1)
    expect(page.locator("#complaint")).to_be_hidden()


def test_without_a_network_it_says_so_and_goes_on_when_it_is_back(visit: Open) -> None:
    page = visit("?q=flight")
    page.wait_for_selector(".answer")
    page.context.set_offline(True)
    page.fill("#query", "receipts")
    expect(line(page)).to_contain_text("You are offline")
    page.context.set_offline(False)
    expect(page.locator(".answer h2 a")).to_have_text(["Expenses"])
    expect(page.locator("#complaint")).to_be_hidden()


def test_a_server_that_asks_for_its_key_gets_it_from_this_tab_alone(visit: Open, service: Service) -> None:
    service.key = "swordfish"
    page = visit("?q=flight")
    expect(page.locator("#key-heading")).to_have_text("This server asks for a key")
    page.fill("#key", "herring")
    page.keyboard.press("Enter")
    expect(page.locator("#key-heading")).to_have_text("The server does not know this key")
    page.fill("#key", "swordfish")
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_have_count(2)
    assert page.evaluate("[sessionStorage.length, localStorage.length]") == [1, 0]
    assert "swordfish" not in page.content()
    page.goto("/?view=about")
    with page.expect_download() as saved:  # a browser sends no key when it follows a link
        page.click("text=Save the report of the build")
    assert saved.value.path().read_bytes() == REPORT
    page.click("text=Forget the key")
    assert page.evaluate("sessionStorage.length") == 0


def test_a_request_that_is_refused_after_the_key_was_given_does_not_ask_for_it_again(
    visit: Open, service: Service
) -> None:
    service.key, service.late_refusal = "swordfish", Event()
    page = visit("?q=flight")
    page.fill("#key", "swordfish")
    page.keyboard.press("Enter")
    expect(page.locator("#key-dialog")).to_be_hidden()
    service.late_refusal.set()
    expect(page.locator(".answer")).to_have_count(2)


def test_a_key_that_is_not_given_leaves_one_line(visit: Open, service: Service) -> None:
    service.key = "swordfish"
    page = visit("?q=flight")
    page.wait_for_selector("#key-dialog[open]")
    page.click("text=Cancel")
    expect(line(page)).to_have_text("The server answers only with its key.")
