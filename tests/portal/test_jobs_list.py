"""The list of jobs: filters in the address, pages, many cancelled at once; and jobs side by side."""

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
    expect(page.get_by_text(re.compile(r"^Waits behind \d+ jobs\.$"))).to_be_visible()


def test_two_jobs_side_by_side_are_the_same_behind_a_link(visit: Visit, client: Client, sample: str) -> None:
    other = client.submit("tabular", {"epochs": 3}, name="small-table").id
    client.wait_for_job(other, timeout=400)
    page = visit.page
    visit.open("/compare")
    for name in ("digits", "small-table"):
        page.get_by_role("combobox", name="Jobs to compare").fill(name)
        page.get_by_role("option", name=re.compile(f"^{name}")).click()
    page.keyboard.press("Escape")
    chart = page.get_by_role("img", name=re.compile("^validation_loss: digits [0-9.]+, small-table [0-9.]+"))
    expect(chart).to_be_visible()
    page.get_by_role("button", name="epochs").click()
    names = page.get_by_role("table").get_by_role("link")
    expect(names).to_have_text(["small-table", "digits"])
    page.goto(page.url)
    expect(chart).to_be_visible()
    expect(names).to_have_text(["small-table", "digits"])
