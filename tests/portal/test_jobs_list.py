"""The list of jobs: filters in the address, pages, many cancelled at once."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from tests.portal.conftest import Visit

from trainyard import Client

pytestmark = pytest.mark.platform

COUNT = 55


@pytest.fixture
def crowd(client: Client, sample: str) -> Iterator[list[str]]:
    """More jobs than a page holds; a first one takes the whole machine, so that the others wait."""
    tags = {"crowd": "yes"}
    ids = [client.submit("tabular", {"workers": 2, "epochs": 100_000}, name="holder", tags=tags).id]
    ids += [client.submit("tabular", {"workers": 2}, name=f"waiting-{number:02d}", tags=tags).id for number in range(COUNT)]
    yield ids
    for job in client.list_jobs(tags=tags):
        if job.state not in ("SUCCEEDED", "FAILED", "CANCELLED"):
            client.cancel_job(job.id)


def test_filters_are_in_the_address_and_a_page_of_jobs_is_cancelled_at_once(visit: Visit, client: Client, crowd: list[str]) -> None:
    page = visit.page
    visit.open("/jobs?tag=crowd:yes")
    rows = page.get_by_role("row").filter(has_text="waiting-")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="More", exact=True).click()
    expect(rows).to_have_count(COUNT - 50)
    expect(page).to_have_url(re.compile("cursor="))
    page.get_by_role("button", name="Back").click()
    expect(rows).to_have_count(50)

    page.get_by_label("Search by name or id").fill("waiting-1")
    expect(rows).to_have_count(10)
    expect(page).to_have_url(re.compile("q=waiting-1"))
    page.reload()
    expect(rows).to_have_count(10)
    page.get_by_label("Select all jobs of this page").check()
    page.get_by_role("button", name="Cancel 10 jobs").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel 10 jobs").click()
    expect(page.get_by_text("10 jobs will stop.")).to_be_visible()
    expect(rows.filter(has_text="Cancelled")).to_have_count(10)
    states = {job.state for job in client.list_jobs(query="waiting-2")}
    assert states == {"QUEUED"}, "the others are left alone"

    visit.open(f"/jobs/{crowd[-1]}")
    expect(page.get_by_role("region", name="Why it waits")).to_contain_text("Waits for the jobs that came before it")
    visit.open("/submit?template=tabular")
    verdict = page.get_by_role("complementary", name="Resources and submission").get_by_role("status")
    expect(verdict).to_contain_text(re.compile(r"Waits.*\d+ jobs", re.DOTALL))


def test_the_list_is_narrowed_by_time_and_the_address_keeps_it(visit: Visit, sample: str) -> None:
    page = visit.page
    visit.open("/jobs?q=digits")
    row = page.get_by_role("link", name="digits", exact=True)
    expect(row).to_be_visible()
    page.get_by_role("combobox", name="Submitted").click()
    page.get_by_role("option", name="Last 24 hours").click()
    expect(page).to_have_url(re.compile("from=24h"))
    expect(row).to_be_visible()
    page.get_by_role("combobox", name="Submitted").click()
    page.get_by_role("option", name="Days from").click()
    page.get_by_label("First day").fill("2020-01-01")
    page.get_by_label("Last day").fill("2020-01-31")
    expect(page.get_by_text("No job matches")).to_be_visible()
    expect(page).to_have_url(re.compile("from=2020-01-01.*to=2020-01-31"))
    page.reload()
    expect(page.get_by_label("Last day")).to_have_value("2020-01-31")
    expect(page.get_by_text("No job matches")).to_be_visible()
    page.get_by_role("button", name="Show all jobs").click()
    expect(page.get_by_label("Last day")).to_have_count(0)
    expect(page.get_by_role("row").nth(1)).to_be_visible()
