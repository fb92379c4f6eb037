"""A script of one's own, sent as a folder: submitted once, followed live, and understood when it fails."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.portal.conftest import JOB_MS, Visit

from trainyard import Client
from trainyard.embedded.config import PlatformConfig

pytestmark = pytest.mark.platform

_BREAKS = """
import os, sys, time
print("\\033[32mready\\033[0m <img src=x onerror=\\"document.title='owned'\\"> argv", sys.argv[1:], flush=True)
if os.environ["RANK"] == "1":
    raise ValueError("the second rank has had enough")
time.sleep(600)
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with a program that fails on rank 1, and things that stay behind."""
    folder = tmp_path / "my-code"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "__pycache__" / "train.cpython-311.pyc").write_bytes(b"\0")
    (folder / "train.py").write_text(_BREAKS)
    (folder / "lib.py").write_text("")
    return folder


def test_a_folder_is_submitted_once_and_its_failure_is_explained(visit: Visit, client: Client, sample: str, code: Path) -> None:
    page = visit.page
    before = len(list(client.list_jobs()))
    visit.open("/submit?template=script")
    page.get_by_role("button", name="Submit job").click()
    expect(page.get_by_text("This template runs your code", exact=False)).to_be_visible()
    page.locator("input[webkitdirectory]").set_input_files(code)
    expect(page.get_by_text("2 files")).to_be_visible()
    page.get_by_label("Workers", exact=True).fill("2")
    page.get_by_label("Name", exact=True).fill("<b>unhappy</b>")
    page.get_by_label("Arguments").fill("--lr\n0.1")
    page.get_by_role("button", name="Submit job").dblclick()
    expect(page.get_by_role("heading", name="<b>unhappy</b>")).to_be_visible()
    assert len(list(client.list_jobs())) == before + 1

    why = page.get_by_role("region", name="Why it failed")
    expect(why).to_contain_text("the second rank has had enough", timeout=JOB_MS)
    expect(why).to_contain_text("Last lines of rank 1, which failed first")
    page.get_by_role("link", name="Logs").click()
    page.get_by_role("combobox", name="Rank").click()
    page.get_by_role("option", name="Rank 1").click()
    log = page.get_by_role("region", name="Log of rank 1")
    expect(log).to_contain_text("<img src=x onerror=")
    expect(log).to_contain_text("['--lr', '0.1']")
    colour = log.get_by_text("ready", exact=True).evaluate("(node) => getComputedStyle(node).color")
    assert colour != log.evaluate("(node) => getComputedStyle(node).color")
    assert page.locator("img[src=x]").count() == 0
    assert "unhappy" in page.title()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert "the second rank has had enough" in Path(download.value.path()).read_text()

    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("button", name="Delete the job").click()
    expect(page).to_have_url(re.compile(r"/jobs$"))
    assert len(list(client.list_jobs())) == before


def test_a_million_lines_scroll_and_are_searched(visit: Visit, client: Client, sample: str, config: PlatformConfig) -> None:
    """The log is as the trainer would have shipped it: one more chunk after those that rank 1 wrote, which may have had nothing to say."""
    size = next((source.size for source in client.log_sources(sample) if source.rank == "1"), 0)
    folder = config.state_dir / "objects" / "jobs" / sample / "attempts" / "1" / "logs" / "rank-1"
    folder.mkdir(exist_ok=True)
    (folder / f"{size:012d}.log").write_text("".join(f"step {step} loss {1 / (step + 1):.6f}\n" for step in range(1_000_000)))

    page = visit.page
    visit.open(f"/jobs/{sample}?tab=logs&rank=1")
    log = page.get_by_role("region", name="Log of rank 1")
    expect(log).to_contain_text("step 999999 ")
    page.get_by_role("button", name="Load all of it").click()
    expect(page.get_by_text(re.compile(r"^1,000,0\d\d lines$"))).to_be_visible(timeout=120_000)
    assert log.locator("> div > div > div").count() < 200
    page.get_by_label("Search in the log").fill("step 500000 ")
    expect(page.get_by_text("1 of 1")).to_be_visible()
    expect(log).to_contain_text("step 500000 loss")
    log.evaluate("(node) => { node.scrollTop = 0; }")
    expect(log).to_contain_text("step 0 loss 1.000000")
