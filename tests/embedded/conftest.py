"""One embedded platform for all of these tests, started by `trainyard up` and stopped by `trainyard down`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.outcome import Outcome

from trainyard import Client
from trainyard.embedded.config import PlatformConfig, free_ports

COMMAND_SECONDS = 400


class CommandLine:
    """The `trainyard` command on one state folder."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir

    def __call__(self, *arguments: str) -> Outcome:
        """Run it to its end."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("TRAINYARD_", "RAY_", "MLFLOW_"))}
        environment["TRAINYARD_STATE_DIR"] = str(self.state_dir)
        if cache := os.environ.get("TRAINYARD_CACHE"):
            environment["TRAINYARD_CACHE"] = cache
        argv = [sys.executable, "-m", "trainyard", *arguments]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS)
        return Outcome(done.returncode, done.stdout, done.stderr)


def up_arguments() -> list[str]:
    """`up` on ports that nobody uses."""
    port, mlflow, dashboard, ray = map(str, free_ports(4))
    options = ["--port", port, "--mlflow-port", mlflow, "--ray-dashboard-port", dashboard, "--ray-port", ray]
    return ["up", *options, "--cpus", "2"]


@pytest.fixture(scope="session")
def trainyard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """The command, with the platform up."""
    command = CommandLine(tmp_path_factory.mktemp("platform"))
    started = command(*up_arguments())
    assert started.code == 0, started.err
    yield command
    assert command("down").code == 0


@pytest.fixture
def config(trainyard: CommandLine) -> PlatformConfig:
    """The running platform's configuration."""
    found = PlatformConfig.load(trainyard.state_dir)
    assert found is not None
    return found


@pytest.fixture
def client(config: PlatformConfig) -> Iterator[Client]:
    """A client of the running platform."""
    with Client(url=config.url, token=config.api_token_file.read_text()) as opened:
        yield opened
