"""The portal in Chromium, beside MLflow's pages in the same one: what the first page weighs, and how long people wait."""

from __future__ import annotations

import contextlib
import gzip
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, Response, sync_playwright

from tests.bench import portal_data
from tests.bench.goals import Goal
from tests.bench.jobs import open_client
from tests.bench.pairs import Figure
from trainyard.embedded.config import PlatformConfig
from trainyard.packing import packed_file

ROOT = Path(__file__).parents[2]
WORKLOADS = Path(__file__).parent / "workloads"
JOBS = 100_000
COMPARED = 200
POINTS = 10_000
LINES = 200
_DATED = re.compile(r"line (\d+) at (\d+\.\d+)")
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
#: Remembers when the first element that fits appeared and was painted, from before any script of the page runs.
_FIRST = """
(selector) => {
  const look = () => {
    if (window.firstSeen === undefined && document.querySelector(selector))
      requestAnimationFrame(() => requestAnimationFrame(() => { window.firstSeen ??= performance.now(); }));
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
}
"""
#: Whether no script or style has come for two seconds; MLflow's pages ask for other things for ever.
_LOADED = """
() => {
  const count = performance.getEntriesByType("resource").filter(({ initiatorType }) => ["script", "link"].includes(initiatorType)).length;
  if (window.loaded?.count !== count) window.loaded = { count, since: performance.now() };
  return count > 0 && performance.now() - window.loaded.since > 2000;
}
"""
#: Notes when each line with a time in it appears, and how old it is then.
_AGES = """
() => {
  window.ages = {};
  const look = () => {
    for (const [, number, printed] of document.body.innerText.matchAll(/line (\\d+) at (\\d+\\.\\d+)/g))
      window.ages[number] ??= Date.now() / 1000 - Number(printed);
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
}
"""


def build() -> None:
    """Build the portal, which `trainyard up` then serves."""
    subprocess.run([ROOT / "scripts" / "portal"], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium. Raises FileNotFoundError where there is none."""
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        raise FileNotFoundError("no Chromium is installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def sign_in(page: Page, url: str, token: str) -> None:
    """Open Home with the token."""
    page.goto(f"{url}/#token={token}")
    page.wait_for_selector("h1")


def size(browser: Browser, config: PlatformConfig) -> Figure:
    """kB of scripts and styles that the first page loads, packed by the same gzip on both sides."""
    ours = _weight(browser, f"{config.url}/#token={config.api_token_file.read_text().strip()}")
    theirs = _weight(browser, config.mlflow_url)
    return Figure(
        "Scripts and styles of the first page (gzip)",
        "kB",
        "MLflow's pages",
        [ours],
        [theirs],
        goal=0.2,
        note="The portal's own goal: 200 kB.",
    )


def _weight(browser: Browser, url: str) -> float:
    found: list[Response] = []
    page = browser.new_page(bypass_csp=True)
    page.on("response", lambda response: found.append(response) if response.request.resource_type in ("script", "stylesheet") else None)
    page.goto(url)
    page.wait_for_function(_LOADED, timeout=120_000)
    weight = sum(len(gzip.compress(response.body(), 9)) for response in found) / 1000
    page.close()
    return weight


def jobs_list(browser: Browser, config: PlatformConfig, times: int) -> Goal:
    """Seconds from opening the list to its first rows, with 100,000 jobs behind it."""
    portal_data.fill_jobs(config, JOBS)
    readings = [_seconds_to(browser, config, "/jobs", "tbody tr a[href^='/jobs/']") for _ in range(times)]
    note = (
        "From opening the page, scripts in the cache. These have run after 0.15 s and the API's answer takes 15 ms; half of the time is "
        "one task in which the browser draws the page with its 50 rows."
    )
    return Goal(f"Jobs list, {JOBS:,} jobs: first rows", "s", readings, most=0.3, note=note)


def compare(browser: Browser, config: PlatformConfig, times: int) -> Goal:
    """Seconds from opening the comparison to every curve drawn."""
    ids = portal_data.fill_runs(config, COMPARED, POINTS)
    with open_client(config) as client:
        for one in ids:  # which keeps their series, as the controller does when a job ends
            client.get_metrics(one)
    path = f"/compare?jobs={'.'.join(ids)}"
    drawn = f"[data-curves='{COMPARED}']"
    readings = [_seconds_to(browser, config, path, drawn, timeout_seconds=600) for _ in range(times)]
    return Goal(f"Compare, {COMPARED} runs of {POINTS:,} points: all curves", "s", readings, most=2)


def _seconds_to(browser: Browser, config: PlatformConfig, path: str, selector: str, timeout_seconds: float = 60) -> float:
    """Seconds from the navigation to the first painted element, in a window whose cache has the scripts."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, bypass_csp=True)
    page = context.new_page()
    sign_in(page, config.url, config.api_token_file.read_text().strip())
    page.goto(f"{config.url}/jobs")
    page.wait_for_selector("h1")
    page.add_init_script(f"({_FIRST})({selector!r})")
    page.goto(config.url + path)
    page.wait_for_function("window.firstSeen !== undefined", timeout=timeout_seconds * 1000)
    seconds = float(page.evaluate("window.firstSeen")) / 1000
    context.close()
    return seconds


def log_line(browser: Browser, config: PlatformConfig) -> Goal:
    """Seconds from a line's print in a worker to its being on the page."""
    script = WORKLOADS / "dated_lines.py"
    with open_client(config) as client, packed_file(script) as packed:
        code = client.upload_code(packed.path)
        job = client.submit("script", {"entry": script.name, "arguments": [str(LINES)]}, code=code.id)
        readings = ages_on_the_page(browser, config.url, config.api_token_file.read_text().strip(), job.id)
    return Goal("Log line: printed in a worker to visible", "s", readings, most=1, rank="p95")


def ages_on_the_page(browser: Browser, url: str, token: str, job_id: str) -> list[float]:
    """Of a job of `dated_lines.py`: for each line the seconds from its print to its being on the page."""
    page = browser.new_page(bypass_csp=True)
    sign_in(page, url, token)
    page.goto(f"{url}/jobs/{job_id}?tab=logs")
    page.evaluate(_AGES)
    page.wait_for_function(f"Object.keys(window.ages).length >= {LINES}", timeout=300_000)
    ages: dict[str, float] = page.evaluate("window.ages")
    page.close()
    return _while_followed({int(number): age for number, age in ages.items()})


def ages_of_lines(output: Iterable[str]) -> list[float]:
    """The same of what another program shows of that job's lines as they come."""
    ages: dict[int, float] = {}
    for line in output:
        if found := _DATED.search(line):
            ages[int(found[1])] = time.time() - float(found[2])
    return _while_followed(ages)


def _while_followed(ages: dict[int, float]) -> list[float]:
    """Without the lines that were printed before anybody looked."""
    return [age for number, age in sorted(ages.items()) if number >= LINES // 4]
