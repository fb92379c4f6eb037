"""Jobs side by side: overlaid curves, parallel coordinates, the table of differences, and the link to all of it."""

import re

import pytest
from playwright.sync_api import Page, expect
from tests.portal.conftest import Visit

pytestmark = pytest.mark.platform


def _rows(page: Page) -> list[str]:
    return page.get_by_role("table").get_by_role("link").all_inner_texts()


def test_two_jobs_side_by_side_are_the_same_behind_a_link(visit: Visit, sample: str, tables: list[str]) -> None:
    page = visit.page
    visit.open("/compare")
    for name in ("digits", "small-table-0.1"):
        page.get_by_role("combobox", name="Jobs to compare").fill(name)
        page.get_by_role("option", name=re.compile(f"^{name}")).first.click()
    page.keyboard.press("Escape")
    chart = page.get_by_role("img", name=re.compile("^validation_loss: digits [0-9.]+, small-table-0.1 [0-9.]+"))
    expect(chart).to_be_visible()
    page.get_by_role("button", name="epochs").click()
    page.get_by_text("By time").click()
    page.get_by_role("switch", name="Log scale").check()
    names = page.get_by_role("table").get_by_role("link")
    expect(names).to_have_text(["small-table-0.1", "digits"])
    expect(page).to_have_url(re.compile("log=true"))
    page.goto(page.url)
    expect(chart).to_be_visible()
    expect(names).to_have_text(["small-table-0.1", "digits"])
    expect(page.get_by_role("switch", name="Log scale")).to_be_checked()


def test_brushing_picks_jobs_by_keyboard_and_by_mouse(visit: Visit, tables: list[str]) -> None:
    page = visit.page
    visit.open(f"/compare?jobs={'.'.join(tables)}")
    lowest = page.get_by_role("slider", name="learning_rate, lowest that is picked")
    expect(lowest).to_be_visible()
    names = page.get_by_role("table").get_by_role("link")
    expect(names).to_have_count(len(tables))

    lowest.focus()
    page.keyboard.press("PageUp")
    expect(names).to_have_count(len(tables) - 1)
    expect(page.get_by_text(f"{len(tables) - 1} of {len(tables)} jobs picked", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("brush="))
    picked = _rows(page)
    page.reload()
    expect(names).to_have_text(picked)
    expect(page.locator(f"[data-curves='{len(tables) - 1}']")).to_be_visible()
    lowest.focus()
    page.keyboard.press("Escape")
    expect(names).to_have_count(len(tables))

    axis = page.locator("[data-axis='parameters.learning_rate']")
    axis.scroll_into_view_if_needed()
    box = axis.bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, box["y"] + box["height"] - 2)
    page.mouse.down()
    page.mouse.move(middle, box["y"] + 0.7 * box["height"], steps=5)
    page.mouse.up()
    expect(names).to_have_count(1)
    page.locator("button", has_text="Show all").click()
    expect(names).to_have_count(len(tables))

    page.locator(f"a[href='/jobs/{tables[0]}'] path").first.dispatch_event("click")
    expect(page).to_have_url(re.compile(f"/jobs/{tables[0]}$"))


def test_a_chart_is_zoomed_and_moved_by_keyboard(visit: Visit, sample: str) -> None:
    page = visit.page
    visit.open(f"/jobs/{sample}")
    chart = page.get_by_role("group", name="Chart of loss")
    chart.focus()
    expect(page.get_by_text("With Tab on a chart:", exact=False)).to_be_visible()
    page.keyboard.press("+")
    shown = page.get_by_text(re.compile(r"^steps [\d,]+ to [\d,]+ shown$"))
    expect(shown).to_be_visible()
    zoomed = shown.inner_text()
    page.keyboard.press("ArrowRight")
    expect(shown).not_to_have_text(zoomed)
    page.keyboard.press("0")
    expect(shown).to_have_count(0)
    chart.hover()
    chart.get_by_role("button", name="Zoom in").click()
    expect(shown).to_be_visible()
