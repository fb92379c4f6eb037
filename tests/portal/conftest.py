"""The portal in a real browser, with the embedded platform behind it; nothing is imitated."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright
from tests.embedded.conftest import CommandLine, up_arguments

from trainyard import Client
from trainyard.embedded.config import PlatformConfig

ROOT = Path(__file__).resolve().parents[2]
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]
LAPTOP = (1440, 900)
PHONE = (390, 844)
#: The sample job on a slow and busy machine.
JOB_MS = 400_000

expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def built_portal() -> Path:
    """The folder with the build of these sources."""
    done = subprocess.run([ROOT / "scripts/portal"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="session")
def trainyard(built_portal: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """The command, with the platform up and the portal beside its API."""
    command = CommandLine(tmp_path_factory.mktemp("platform"))
    started = command(*up_arguments())
    assert started.code == 0, started.err
    yield command
    assert command("down").code == 0


@pytest.fixture(scope="session")
def config(trainyard: CommandLine) -> PlatformConfig:
    """The running platform's configuration."""
    found = PlatformConfig.load(trainyard.state_dir)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def client(config: PlatformConfig) -> Iterator[Client]:
    """A client of the running platform."""
    with Client(url=config.url, token=config.api_token_file.read_text()) as opened:
        yield opened


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    program = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        yield launched
        launched.close()


@dataclass
class Visit:
    """One browser window on the portal, and what went wrong in it."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    #: Texts of complaints that the test brings about itself.
    expected: tuple[str, ...] = ()

    def open(self, path: str) -> None:
        """Go to a page and wait for its heading."""
        self.page.goto(self.url + path)
        expect(self.page.locator("h1")).to_be_visible()

    def watch(self) -> None:
        """Collect errors of scripts, violations of the content security policy, and requests to anywhere else."""

        def console(message: ConsoleMessage) -> None:
            if message.type == "error":
                self.complaints.append(f"{message.text} ({message.location['url']})")

        def request(request: Request) -> None:
            if not request.url.startswith((self.url, "data:", "blob:")):
                self.complaints.append(f"asked for {request.url}")

        self.page.on("console", console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", request)

    @property
    def unexpected(self) -> list[str]:
        """The complaints that the test did not bring about."""
        return [text for text in self.complaints if not any(part in text for part in self.expected)]


Open = Callable[..., Visit]


def _window(
    browser: Browser, config: PlatformConfig, *, size: tuple[int, int] = LAPTOP, dark: bool = False
) -> tuple[BrowserContext, Visit]:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light")
    visit = Visit(context.new_page(), config.url)
    visit.watch()
    return context, visit


@pytest.fixture
def window(browser: Browser, config: PlatformConfig) -> Iterator[Open]:
    """Opens windows of people who are signed in; none of them may have complained in the end."""
    opened: list[tuple[BrowserContext, Visit]] = []

    def open_window(*, size: tuple[int, int] = LAPTOP, dark: bool = False, signed_in: bool = True) -> Visit:
        context, visit = _window(browser, config, size=size, dark=dark)
        opened.append((context, visit))
        if signed_in:
            visit.open(f"/#token={config.api_token_file.read_text()}")
        return visit

    yield open_window
    complaints = [text for _, visit in opened for text in visit.unexpected]
    for context, _ in opened:
        context.close()
    assert not complaints


@pytest.fixture
def visit(window: Open) -> Visit:
    """A signed-in window of a laptop's size."""
    return window()


@pytest.fixture(scope="session")
def sample(browser: Browser, config: PlatformConfig, client: Client) -> str:
    """The id of the sample job, which somebody who has never been here runs with one click and follows to its end."""
    assert not list(client.list_jobs()), "the platform is fresh"
    context, visit = _window(browser, config)
    visit.open(f"/#token={config.api_token_file.read_text()}")
    page = visit.page
    expect(page.get_by_role("heading", name="Welcome to Trainyard")).to_be_visible()
    page.get_by_role("button", name="Run the sample job").click()
    expect(page.get_by_role("heading", name="digits")).to_be_visible()
    expect(page.get_by_text("Starting the driver")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Epochs done")).to_be_visible(timeout=JOB_MS)
    expect(page.get_by_role("img", name="loss: train_loss")).to_be_visible()
    expect(page.locator("h1 + span", has_text="Succeeded")).to_be_visible(timeout=JOB_MS)
    page.get_by_role("link", name="model image-classification v1").click(timeout=60_000)
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
    row = page.get_by_role("row").filter(has_text="v1")
    expect(row).to_contain_text("0.9")
    context.close()
    assert not visit.unexpected
    [job] = client.list_jobs()
    assert job.model is not None
    return job.id


@pytest.fixture(scope="session")
def tables(client: Client, sample: str) -> list[str]:
    """Ids of three finished jobs that differ in their learning rate."""
    rates = (0.001, 0.01, 0.1)
    ids = [client.submit("tabular", {"epochs": 3, "learning_rate": rate}, name=f"small-table-{rate:g}").id for rate in rates]
    for job in ids:
        client.wait_for_job(job, timeout=JOB_MS / 1000)
    return ids
