"""What a job leaves behind: checkpoints to save and to go on from, artifacts, its code, and where ranks hung."""

import io
import re
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.portal.conftest import JOB_MS, Visit

from trainyard import Client
from trainyard.embedded.config import PlatformConfig

pytestmark = pytest.mark.platform

_LEAVES_FILES = """
import mlflow
mlflow.log_text("<script>document.title = 'owned'</script>", "report/page.html")
"""


def _saved(page: Page, button: str) -> bytes:
    with page.expect_download(timeout=120_000) as download:
        page.get_by_role("button", name=button).click()
    return Path(download.value.path()).read_bytes()


def test_a_checkpoint_is_saved_and_another_job_goes_on_from_it(visit: Visit, client: Client, sample: str) -> None:
    page = visit.page
    visit.open(f"/jobs/{sample}")
    page.get_by_role("link", name="Checkpoints", exact=True).click()
    expect(page.get_by_role("navigation", name="Parts of the job").locator("[aria-current]")).to_have_text(["Checkpoints"])
    rows = page.get_by_role("region", name="Checkpoints").get_by_role("row").filter(has_text="Resume from here")
    newest = rows.first
    expect(newest).to_contain_text("latest")
    step = int(newest.get_by_role("cell").first.inner_text().replace(",", ""))
    inside = zipfile.ZipFile(io.BytesIO(_saved(page, f"Download the checkpoint of step {step}")))
    assert inside.testzip() is None
    assert inside.namelist()

    newest.get_by_role("link", name=f"Resume from here, step {step}").click()
    expect(page.get_by_role("group", name="Resume")).to_contain_text(f"checkpoint of step {step:,}")
    page.get_by_label("Name", exact=True).fill("goes-on")
    page.get_by_label("Epochs").fill("16")
    page.get_by_label("Newest to keep").fill("1")
    page.get_by_label("Best by metric").fill("validation_loss")
    expect(page.get_by_text(re.compile("^(Starts now|Waits): "))).to_be_visible()
    page.get_by_role("button", name="Submit job").click()
    expect(page.get_by_role("heading", name="goes-on")).to_be_visible()
    expect(page.get_by_role("list", name="Noted")).to_contain_text(
        f"Started from the checkpoint of step {step:,} of job {sample}.", timeout=JOB_MS
    )
    page.get_by_role("link", name="Setup").click()
    expect(page.get_by_text("the newest stays, and the one with the lowest validation_loss")).to_be_visible()
    expect(page.get_by_role("link", name=sample)).to_be_visible()
    expect(page.locator("h1 + span", has_text="Succeeded")).to_be_visible(timeout=JOB_MS)
    page.get_by_role("link", name="Attempts").click()
    expect(page.get_by_text(re.compile(r"^Saved the checkpoint of step [\d,]+ \("))).to_be_visible()
    [job] = client.list_jobs(query="goes-on")
    assert job.state == "SUCCEEDED"


def test_artifacts_and_code_are_saved_and_never_shown(visit: Visit, client: Client, sample: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(_LEAVES_FILES)
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.write(tmp_path / "train.py", "train.py")
    code = client.upload_code(tmp_path / "code.zip").id
    job = client.submit("script", {"entry": "train.py"}, code=code).id
    client.wait_for_job(job, timeout=JOB_MS / 1000)
    page = visit.page
    visit.open(f"/jobs/{job}?tab=artifacts")
    page.get_by_role("link", name="report", exact=True).click()
    expect(page.get_by_role("link", name="All artifacts")).to_be_visible()
    assert b"<script>document.title" in _saved(page, "Download page.html")
    assert "owned" not in page.title()
    expect(page).to_have_url(re.compile("path=report"))

    page.get_by_role("link", name="Setup").click()
    packed = zipfile.ZipFile(io.BytesIO(_saved(page, "Download the code")))
    assert packed.read("train.py").decode() == _LEAVES_FILES
    expect(page.get_by_text(f"sha256 {code[:12]}")).to_be_visible()


def test_where_a_rank_hung_is_told(visit: Visit, client: Client, config: PlatformConfig, tables: list[str]) -> None:
    """What the trainer and the controller leave of a rank that hangs, written here: they wait long before they say so."""
    job = tables[0]
    folder = config.state_dir / "objects" / "jobs" / job / "attempts" / "1" / "stacks"
    folder.mkdir(parents=True)
    (folder / "rank-1.txt").write_text('File "train.py", line 7 in all_reduce <b>here</b>\n')
    with closing(sqlite3.connect(config.state_dir / "trainyard.db", timeout=60)) as database:
        database.execute(
            "UPDATE attempts SET outcome = 'failed', failure_kind = 'hung', failed_rank = 1, reason = 'rank 1 hung' WHERE job_id = ?",
            (job,),
        )
        database.commit()
    page = visit.page
    visit.open(f"/jobs/{job}?tab=attempts")
    expect(page.get_by_text("hung; the retry is free")).to_be_visible()
    page.get_by_text("Where rank 1 hung").click()
    expect(page.get_by_text('File "train.py", line 7 in all_reduce <b>here</b>')).to_be_visible()
