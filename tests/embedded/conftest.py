"""One embedded platform for all of these tests, started by `trainyard up` and stopped by `trainyard down`."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.support.outcome import Outcome
from tests.support.site import Site, run_command

from trainyard import Client
from trainyard.embedded.config import PlatformConfig, free_ports
from trainyard.embedded.processes import marked_processes


class CommandLine:
    """The `trainyard` command on one state folder."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir

    def __call__(self, *arguments: str) -> Outcome:
        """Run it to its end."""
        cache = {name: value for name, value in os.environ.items() if name == "TRAINYARD_CACHE" and value}
        return run_command(arguments, {"TRAINYARD_STATE_DIR": str(self.state_dir), **cache})


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
    with client_of(config) as opened:
        yield opened


def client_of(config: PlatformConfig) -> Client:
    """A client of a running platform."""
    return Client(url=config.url, token=config.api_token_file.read_text())


@pytest.fixture
def site(trainyard: CommandLine, config: PlatformConfig, client: Client) -> Site:
    """The running platform for the tests that a platform in a cluster passes too."""
    return site_of(trainyard, config, client)


def site_of(trainyard: CommandLine, config: PlatformConfig, client: Client) -> Site:
    """A running platform for the tests that a platform in a cluster passes too."""

    def mlflow_run(run_id: str) -> dict[str, Any]:
        answer = httpx.get(f"{config.mlflow_url}/api/2.0/mlflow/runs/get", params={"run_id": run_id}, trust_env=False)
        run: dict[str, Any] = answer.json()["run"]
        return run

    def lose_driver(job_id: str) -> None:
        for process in marked_processes(config.marker):
            with suppress(psutil.Error):
                if process.cmdline()[-2:] == ["-m", "trainyard_train"] and process.environ()["TRAINYARD_JOB_ID"] == job_id:
                    return os.kill(process.pid, signal.SIGKILL)
        raise AssertionError(f"job {job_id} has no driver")

    return Site("local", trainyard, client, mlflow_run, lose_driver)
