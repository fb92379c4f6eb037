"""A list of a hundred thousand jobs: pages, filters and search, and never more rows in the document than a page has."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from tests.bench.portal_data import drop_jobs, fill_jobs
from tests.portal.conftest import Visit

from trainyard.embedded.config import PlatformConfig

pytestmark = pytest.mark.platform

COUNT = 100_000
PAGE = 50


@pytest.fixture
def archive(config: PlatformConfig, sample: str) -> Iterator[None]:
    """Jobs of an earlier year beside the sample."""
    fill_jobs(config, COUNT)
    yield
    drop_jobs(config)


def test_a_hundred_thousand_jobs_are_paged_filtered_and_searched(visit: Visit, sample: str, archive: None) -> None:
    page = visit.page
    rows, more = page.locator("tbody tr"), page.get_by_role("button", name="More", exact=True)
    search = page.get_by_label("Search by name or id")
    visit.open("/jobs")
    expect(rows).to_have_count(PAGE)
    for _ in range(3):
        first = rows.first.get_by_role("link").inner_text()
        more.click()
        expect(rows.first.get_by_role("link")).not_to_have_text(first)
        expect(rows).to_have_count(PAGE)

    search.fill("job-4321")
    expect(rows).to_have_count(11)
    expect(page).to_have_url(re.compile("q=job-4321"))

    search.fill("job-")
    page.get_by_role("combobox", name="State").click()
    page.get_by_role("option", name="Failed").click()
    expect(page.get_by_role("link", name=f"job-{COUNT - 1000 + 7}", exact=True)).to_be_visible()
    expect(rows.filter(has_text="Failed")).to_have_count(PAGE)
    more.click()
    oldest = page.get_by_role("link", name="job-7", exact=True)
    expect(oldest).to_be_visible()
    expect(rows).to_have_count(PAGE)
    expect(more).to_be_disabled()
    page.reload()
    expect(oldest).to_be_visible()
