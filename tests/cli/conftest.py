"""The command and the client, against a real API."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.platform import Served, served
from tests.support.outcome import Outcome

from trainyard import Client
from trainyard.main import main


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A platform, and an environment that leads to it."""
    folder = tmp_path / "state"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("TRAINYARD_")]:
        monkeypatch.delenv(name)
    with served(folder) as it:
        monkeypatch.setenv("TRAINYARD_STATE_DIR", str(folder))
        monkeypatch.setenv("TRAINYARD_URL", it.url)
        yield it


@pytest.fixture
def client(platform: Served) -> Iterator[Client]:
    """An open client."""
    with Client() as it:
        yield it


@pytest.fixture
def trainyard(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Calls the command in this process."""

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        sys.stdout.flush()
        return Outcome(code, *capfd.readouterr())

    return call


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start_trainyard() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command as a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "trainyard", *map(str, arguments)]
        # What a shell starts in the background ignores Ctrl-C and hands that on; a user's terminal does not.
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_heed_interrupts)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
