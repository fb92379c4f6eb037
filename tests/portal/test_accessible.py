"""Everybody can use it: no violation of WCAG 2.2 AA that axe finds, dark and light, laptop and phone; and no mouse is needed."""

from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.portal.conftest import LAPTOP, PHONE, ROOT, Open, Visit

from trainyard import Client

pytestmark = pytest.mark.platform

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
def axe(built_portal: Path) -> str:
    """axe's program."""
    return (ROOT / "services/frontend/node_modules/axe-core/axe.min.js").read_text()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_no_page_has_a_violation_or_scrolls_sideways(
    window: Open, axe: str, client: Client, sample: str, tables: list[str], size: tuple[int, int], dark: bool
) -> None:
    visit = window(size=size, dark=dark)
    job = f"/jobs/{sample}"
    pages = ["/", "/jobs", "/jobs?from=2026-01-01", job]
    pages += [f"{job}?tab={tab}" for tab in ("logs", "checkpoints", "artifacts", "setup", "attempts")]
    pages += ["/submit", "/submit?template=script", f"/submit?from={sample}&step={client.list_checkpoints(sample)[0].step}"]
    pages += [f"/compare?jobs={sample}", f"/compare?jobs={'.'.join(tables)}&brush=parameters.learning_rate~0.1~1"]
    pages += ["/datasets", "/models", "/cluster", "/nowhere"]
    found = []
    for path in pages:
        visit.open(path)
        expect(visit.page.get_by_text("Loading", exact=False)).to_have_count(0)
        visit.page.evaluate(axe)
        result = visit.page.evaluate("(rules) => axe.run(document, { runOnly: rules })", _RULES)
        found += [f"{path}: {one['id']} at {[node['target'] for node in one['nodes'][:3]]}" for one in result["violations"]]
        if visit.page.evaluate("document.documentElement.scrollWidth") > size[0]:
            found.append(f"{path} is wider than the screen")
    assert not found


def test_a_job_is_found_submitted_and_cancelled_by_keyboard(visit: Visit, client: Client, sample: str) -> None:
    page, keys = visit.page, visit.page.keyboard
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    keys.press("Enter")
    keys.press("g")
    keys.press("j")
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    keys.press("/")
    keys.type("digits")
    expect(page.get_by_label("Search by name or id")).to_have_value("digits")
    link = page.get_by_role("link", name="digits", exact=True)
    expect(link).to_be_visible()
    for _ in range(30):
        if link.evaluate("(node) => node === document.activeElement"):
            break
        keys.press("Tab")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="digits")).to_be_visible()

    keys.press("n")
    expect(page.get_by_role("heading", name="New job")).to_be_visible()
    name = page.get_by_label("Name", exact=True)
    name.focus()
    keys.type("by-keyboard")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="by-keyboard")).to_be_visible()
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    cancel.focus()
    keys.press("Enter")
    expect(page.get_by_role("dialog", name="Cancel this job?")).to_be_visible()
    expect(page.get_by_role("button", name="Keep")).to_be_focused()
    keys.press("Tab")
    keys.press("Enter")
    expect(page.get_by_text("The job will stop.")).to_be_visible()
    [job] = client.list_jobs(query="by-keyboard")
    assert job.cancel_requested or job.state == "CANCELLED"

    keys.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_hidden()
