"""Every view by axe-core, in light and dark, wide and on a phone; themes, motion, what the head of the page says."""

from typing import Any

import pytest
from tests.serving.page.conftest import NO_PLAYWRIGHT, PHONE, WIDE, Open, wait_until
from tests.serving.page.stand_in import Service

expect = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT).expect
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")

VIEWS = {
    "": ".empty p",
    "?q=flight": ".answer",
    "?q=xylophone": "#view-search .empty p",
    "?q=paste&view=document&id=security.md&start=0": ".here",
    "?view=compare&a=the flight is paid&b=a flight is booked": ".tree",
    "?view=map&q=flight": "canvas",
    "?view=about": "dl",
}


def open_all(page: Any) -> None:
    """Open what a view hides until it is asked for."""
    for button in page.locator(".answer button[aria-expanded]").all():
        button.click()
        page.wait_for_selector(".near li")
    if page.locator("#filter summary").is_visible():
        page.click("#filter summary")
    page.wait_for_timeout(250)


@pytest.mark.slow
@pytest.mark.parametrize("at", VIEWS)
@pytest.mark.parametrize(("scheme", "viewport"), [("light", WIDE), ("dark", PHONE)])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_page(
    visit: Open, at: str, scheme: str, viewport: dict[str, int]
) -> None:
    page = visit(at, viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    page.wait_for_selector(VIEWS[at])
    open_all(page)
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_axe_finds_nothing_in_the_dialog_and_in_an_error(visit: Open, service: Service) -> None:
    service.key = "swordfish"
    page = visit("?q=flight")
    page.wait_for_selector("#key-dialog[open]")
    assert axe.Axe().run(page).response["violations"] == []
    page.click("text=Cancel")
    page.wait_for_selector("#complaint:not([hidden])")
    assert axe.Axe().run(page).response["violations"] == []


def ground(page: Any) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_switch_goes_from_the_system_to_light_and_dark_and_is_kept(visit: Open) -> None:
    page = visit(color_scheme="dark")
    button = page.locator("#theme")
    assert button.get_attribute("aria-label") == "Theme: As the system"
    dark = ground(page)
    button.click()
    assert button.get_attribute("aria-label") == "Theme: Light"
    light = ground(page)
    button.click()
    assert (light != dark, ground(page)) == (True, dark)
    page.emulate_media(color_scheme="light")
    page.reload()
    assert ground(page) == dark
    button.click()
    assert ground(page) == light


def test_the_map_takes_the_colours_of_the_theme(visit: Open) -> None:
    page = visit("?view=map", color_scheme="light")
    page.wait_for_selector("canvas")
    corner = "canvas => [...canvas.getContext('2d').getImageData(2, 2, 1, 1).data]"
    wait_until(page, lambda: min(page.locator("canvas").evaluate(corner)) > 200)
    page.emulate_media(color_scheme="dark")
    wait_until(page, lambda: max(page.locator("canvas").evaluate(corner)[:3]) < 60)


def test_every_view_has_a_title_and_takes_the_focus(visit: Open) -> None:
    page = visit()
    for name, title in [("Map", "Map: selfsent"), ("Compare", "Compare: selfsent"), ("About", "About: selfsent")]:
        page.click(f"nav >> text={name}")
        expect(page.locator(f"#{name.lower()}-heading")).to_be_focused()
        assert page.title() == title
        assert page.locator("nav [aria-current=page]").text_content() == name
    page.go_back()
    expect(page.locator("#compare-heading")).to_be_visible()


def test_the_first_stop_of_the_keyboard_skips_to_the_content(visit: Open) -> None:
    page = visit("?q=flight")
    page.wait_for_selector(".answer")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_facts_and_the_report_are_there(visit: Open) -> None:
    page = visit("?view=about")
    page.wait_for_selector("dl")
    assert page.locator("dt", has_text="Dimension").locator("+ dd").text_content() == "256"
    assert page.locator("text=Report of the build").get_attribute("href") == "report"


def test_the_facts_of_a_small_store_say_that_no_answer_is_hidden(visit: Open, service: Service) -> None:
    service.weak_below = None
    page = visit("?view=about")
    page.wait_for_selector("dl")
    weak = page.locator("dt", has_text="Weak answers").locator("+ dd")
    assert weak.text_content() == "none is hidden in a store this small"


def test_a_model_without_a_store_compares(visit: Open, service: Service) -> None:
    service.has_store = False
    page = visit()
    expect(page.locator("#view-compare")).to_be_visible()
    assert page.locator("nav a:visible").all_text_contents() == ["Compare", "About"]
