"""From an empty Home to a finished sample job to its model, and what its page then tells."""

import re

import pytest
from playwright.sync_api import expect
from tests.portal.conftest import Open, Visit

from trainyard.embedded.config import PlatformConfig

pytestmark = pytest.mark.platform


def test_the_token_is_taken_out_of_the_address_and_kept_for_the_tab_only(visit: Visit, window: Open, config: PlatformConfig) -> None:
    assert visit.page.url == f"{config.url}/"
    visit.page.reload()
    expect(visit.page.get_by_role("navigation", name="Main")).to_be_visible()
    assert visit.page.evaluate("JSON.stringify({...localStorage}) + document.cookie").find(config.api_token_file.read_text().strip()) < 0

    stranger = window(signed_in=False)
    stranger.expected = ("401",)
    stranger.open("/jobs")
    page = stranger.page
    page.get_by_label("Token", exact=True).fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This is not the API's token.")).to_be_visible()
    page.get_by_label("Token", exact=True).fill(config.api_token_file.read_text())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()


def test_the_sample_job_tells_everything_about_itself(visit: Visit, sample: str) -> None:
    page = visit.page
    visit.open(f"/jobs/{sample}")
    page.get_by_role("button", name="Submission to first step").click()
    for stage in ("Waiting for room", "Starting the workers", "Connecting the workers", "Training"):
        expect(page.get_by_text(stage, exact=True)).to_be_visible()
    expect(page.get_by_role("img", name=re.compile(r"^loss: train_loss [0-9.]+, validation_loss"))).to_be_visible()
    expect(page.get_by_text("test_accuracy").first).to_be_visible()
    page.get_by_text("By time").click()
    page.get_by_label("Smoothing").fill("0.6")
    page.get_by_role("switch", name="Log scale").check()

    page.get_by_role("link", name="Logs").click()
    log = page.get_by_role("region", name="Log of rank 0")
    expect(log).to_contain_text("epoch 15/15")
    page.get_by_role("link", name="Setup").click()
    expect(page.get_by_text(re.compile(r"^2 workers . 1 CPU$"))).to_be_visible()
    page.get_by_role("link", name="Attempts").click()
    expect(page.get_by_text("succeeded", exact=True)).to_be_visible()


def test_a_clone_starts_from_the_old_answers(visit: Visit, sample: str) -> None:
    page = visit.page
    visit.open(f"/jobs/{sample}")
    page.get_by_role("link", name="Clone").click()
    expect(page.get_by_label("Workers", exact=True)).to_have_value("2")
    page.get_by_label("Epochs").fill("0")
    expect(page.get_by_text("At least 1.")).to_be_visible()
    page.get_by_label("Epochs").fill("7")
    page.get_by_label("Workers", exact=True).fill("500")
    expect(page.get_by_text("Can never start", exact=False)).to_be_visible()
    page.get_by_label("Workers", exact=True).fill("1")
    expect(page.get_by_text(re.compile("^(Starts now|Waits): "))).to_be_visible()
    expect(page.get_by_label("The job as code")).to_contain_text("-p epochs=7")


def test_the_first_page_is_small(visit: Visit, sample: str) -> None:
    visit.open("/")
    sizes = visit.page.evaluate(
        """performance.getEntriesByType("resource").filter((one) => /\\.(js|css)$/.test(one.name)).map((one) => one.encodedBodySize)"""
    )
    assert len(sizes) > 3
    assert sum(sizes) <= 200 * 1024
