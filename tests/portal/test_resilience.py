"""The server goes away and comes back while somebody looks."""

import json

import psutil
import pytest
from playwright.sync_api import expect
from tests.embedded.conftest import CommandLine
from tests.portal.conftest import JOB_MS, Visit

from trainyard import Client

pytestmark = pytest.mark.platform


def test_a_killed_api_is_told_and_the_page_catches_up_without_losing_a_line(
    visit: Visit, client: Client, trainyard: CommandLine, sample: str
) -> None:
    visit.expected = ("Failed to load resource", "ERR_")
    job = client.submit("tabular", {"workers": 1, "epochs": 700, "checkpoint_every": 0}, name="long-table").id
    page = visit.page
    visit.open(f"/jobs/{job}?tab=logs")
    log = page.get_by_role("region", name="Log of rank 0")
    expect(log).to_contain_text("epoch ", timeout=JOB_MS)

    server = psutil.Process(json.loads(trainyard("status", "--json").out)["processes"]["api"])
    for process in (server, *server.children(recursive=True)):  # workers that outlive their master go on answering for a while
        process.kill()
    lost = page.get_by_text("Not connected.")
    expect(lost).to_be_visible()
    expect(log).to_contain_text("epoch ")  # what was known stays
    expect(lost).to_be_hidden(timeout=60_000)
    expect(page.locator("h1 + span", has_text="Succeeded")).to_be_visible(timeout=JOB_MS)

    page.get_by_label("Search in the log").fill("epoch")
    expected = sum("epoch" in line for line in b"".join(client.download_log(job, rank=0)).decode().splitlines())
    expect(page.get_by_text(f"1 of {expected:,}", exact=True)).to_be_visible()
