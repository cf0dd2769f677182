"""The map of the corpus: its points, what a pointer does, and the table for those who use none."""

import re
from typing import Any

import pytest
from tests.serving.page.conftest import NO_PLAYWRIGHT, PHONE, Open, wait_until
from tests.serving.page.stand_in import GROUPS, HANDBOOK, Service

expect = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT).expect
# How the picture sees the world, by a click on its canvas: the stand-in's four groups stand in the four corners.
CORNERS = {0: (0.2, 0.2), 1: (0.8, 0.2), 2: (0.2, 0.8), 3: (0.8, 0.8)}


def opened(visit: Open, at: str = "?view=map", **options: Any) -> Any:
    page = visit(at, **options)
    page.wait_for_selector("canvas")
    wait_until(page, lambda: len(colours(page)) > 1)
    return page


def colours(page: Any) -> set[tuple[int, ...]]:
    """The colours of the canvas, each in its first three bytes."""
    found = page.locator("canvas").evaluate(
        """canvas => {
             const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
             return [...new Set(new Uint32Array(data.buffer))];
           }"""
    )
    return {(one & 255, one >> 8 & 255, one >> 16 & 255) for one in found}


def nearest_point(page: Any, x: float = 0.25, y: float = 0.25) -> tuple[float, float]:
    """Find a place on the screen, near a place of the frame, where there is a point of the map."""
    box = page.locator("canvas").bounding_box()
    for step in range(400):
        left = box["x"] + box["width"] * x + (step % 20 - 10) * 6
        top = box["y"] + box["height"] * y + (step // 20 - 10) * 6
        page.mouse.move(left, top)
        if page.locator(".tip").is_visible():
            return left, top
    raise AssertionError("no point is near the place")


def test_the_map_draws_its_points_and_names_its_groups(visit: Open) -> None:
    page = opened(visit)
    assert len(colours(page)) > 50  # dots of four colours with soft edges
    assert page.locator(".legend button").all_text_contents() == [f"{name} 100" for name in GROUPS]
    assert "400 passages of 8 documents" in page.locator(".map-head").text_content()


def test_it_waits_while_the_map_is_laid_out(visit: Open, service: Service) -> None:
    service.map_waits = 1
    page = visit("?view=map")
    expect(page.locator("#view-map [role=status]")).to_contain_text("being laid out")
    page.wait_for_selector("canvas")
    assert [path for path, _ in service.asked].count("/map") == 2


def test_pointing_tells_the_title_and_a_click_opens_the_document(visit: Open) -> None:
    page = opened(visit)
    left, top = nearest_point(page)
    title = page.locator(".tip b").text_content()
    assert title in {title for title, _ in HANDBOOK.values()}
    page.mouse.click(left, top)
    expect(page.locator("#document-heading")).to_have_text(title)


def test_the_wheel_zooms_and_a_drag_moves(visit: Open) -> None:
    page = opened(visit)
    listed = page.locator("caption")
    assert listed.text_content() == "8 documents in sight"
    box = page.locator("canvas").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    for _ in range(6):
        page.mouse.wheel(0, -400)
    expect(listed).to_have_text("0 documents in sight")  # between the groups there is nothing
    page.keyboard.press("Tab")
    page.locator("canvas").focus()
    page.keyboard.press("0")
    expect(listed).to_have_text("8 documents in sight")
    before = nearest_point(page)
    page.mouse.move(middle[0], middle[1])
    page.mouse.down()
    page.mouse.move(middle[0] + 100, middle[1] + 60, steps=5)
    page.mouse.up()
    page.mouse.move(before[0] + 100, before[1] + 60)
    assert page.locator(".tip").is_visible()  # the point went with the drag


def test_a_lasso_lists_what_is_in_it(visit: Open) -> None:
    page = opened(visit)
    page.click("text=Lasso")
    box = page.locator("canvas").bounding_box()
    half = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    # Around the corner of the first group, which is that of the documents 0 and 4.
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    for at in [(half[0], box["y"] + 5), half, (box["x"] + 5, half[1]), (box["x"] + 5, box["y"] + 5)]:
        page.mouse.move(*at, steps=4)
    page.mouse.up()
    expect(page.locator("caption")).to_have_text("2 documents in the lasso")
    expect(page.locator(".map-list tbody a")).to_have_text(["Leave", "Summer party 🎉"])
    expect(page.locator("#status")).to_contain_text(re.compile("100 passages in the lasso"))
    page.click("text=Clear lasso")
    expect(page.locator("caption")).to_have_text("8 documents in sight")
    expect(page.locator(".map-buttons button", has_text="Lasso").first).to_be_focused()


def test_answers_light_up(visit: Open) -> None:
    page = opened(visit)
    plain = colours(page)
    page.fill("#query", "flight")
    expect(page.locator("caption")).to_have_text("2 documents on the map for “flight”")
    assert page.evaluate("location.search") == "?view=map&q=flight"
    wait_until(page, lambda: colours(page) != plain)
    # Points of other documents are too dim to be pointed at.
    nearest_point(page, 0.75, 0.25)
    assert page.locator(".tip b").text_content() in {"Travel", "Expenses"}
    page.fill("#query", "")
    expect(page.locator("caption")).to_have_text("8 documents in sight")


def test_a_group_can_be_seen_alone(visit: Open) -> None:
    page = opened(visit)
    page.click(".legend button >> nth=1")
    assert page.locator(".legend button >> nth=1").get_attribute("aria-pressed") == "true"
    expect(page.locator(".map-list tbody a")).to_have_text(["Travel", "עברית"])
    page.click(".legend button >> nth=1")
    expect(page.locator("caption")).to_have_text("8 documents in sight")


def test_the_table_opens_documents_without_a_pointer(visit: Open) -> None:
    page = opened(visit)
    page.locator(".map-list tbody a", has_text="Travel").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#document-heading")).to_have_text("Travel")
    page.keyboard.press("Escape")
    expect(page.locator("canvas")).to_be_visible()


def test_a_finger_that_taps_gets_a_link(visit: Open) -> None:
    page = opened(visit, viewport=PHONE, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    box = page.locator("canvas").bounding_box()
    for x, y in CORNERS.values():
        page.touchscreen.tap(box["x"] + box["width"] * x, box["y"] + box["height"] * (0.5 + (y - 0.5) * 0.5))
        if page.locator(".tip").is_visible():
            break
    title = page.locator(".tip a").text_content()
    page.locator(".tip a").click()
    expect(page.locator("#document-heading")).to_have_text(title)


def test_two_fingers_zoom(visit: Open) -> None:
    page = opened(visit, viewport=PHONE, has_touch=True, is_mobile=True)
    assert page.locator("caption").text_content() == "8 documents in sight"
    box = page.locator("canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": left, "y": top, "id": number} for number, (left, top) in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (x - 5, y), (x + 5, y))
    for reach in range(10, 150, 10):
        touch("touchMove", (x - reach, y), (x + reach, y))
    touch("touchEnd")
    expect(page.locator("caption")).to_have_text("0 documents in sight")  # between the groups there is nothing


def test_fifty_thousand_points_are_drawn_roughly_while_they_move_and_finely_at_rest(
    visit: Open, service: Service
) -> None:
    service.num_points = 50_000
    page = opened(visit, device_scale_factor=2)
    assert len(colours(page)) > 50
    dots = page.locator("canvas").evaluate("canvas => [canvas.width, canvas.clientWidth]")
    assert dots[0] == 2 * dots[1]
    turn = """canvas => {
        canvas.dispatchEvent(new WheelEvent("wheel", {deltaY: -80, bubbles: true, cancelable: true}));
        return canvas.width;
    }"""
    assert page.locator("canvas").evaluate(turn) == dots[1]
    wait_until(page, lambda: page.locator("canvas").evaluate("canvas => canvas.width") == dots[0])
    nearest_point(page)
