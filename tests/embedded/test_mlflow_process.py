"""MLflow's server as the platform starts it: what `mlflow server` is with the same arguments, in one process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from tests.support.processes import end, free_port
from tests.support.waiting import wait_for

from trainyard.embedded import mlflow_process


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[psutil.Process, str]]:
    """The process and its address; it listens below a prefix, and to one name."""
    port = free_port()
    arguments = [f"--port={port}", "--host=127.0.0.1", "--workers=1", "--static-prefix=/mlflow", "--allowed-hosts=127.0.0.1:*"]
    arguments += [f"--backend-store-uri=sqlite:///{tmp_path}/mlflow.db", f"--artifacts-destination={tmp_path}/artifacts"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", mlflow_process.__name__, *arguments]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=tmp_path)

    def answers() -> bool:
        assert process.poll() is None, (tmp_path / "log").read_text()[-2000:]
        try:
            return httpx.get(f"http://127.0.0.1:{port}/mlflow/health", trust_env=False).is_success
        except httpx.HTTPError:
            return False

    try:
        wait_for("MLflow", answers, seconds=120, every=0.2)
        yield psutil.Process(process.pid), f"http://127.0.0.1:{port}"
    finally:
        end(process, signal.SIGTERM)


def test_one_process_serves_as_it_was_told(server: tuple[psutil.Process, str]) -> None:
    process, url = server
    assert process.children() == []
    asked = "/mlflow/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert httpx.get(f"{url}{asked}", trust_env=False).json()["experiment"]["name"] == "Default"
    assert httpx.get(f"{url}{asked.removeprefix('/mlflow')}", trust_env=False).status_code == 404
    assert httpx.get(f"{url}{asked}", headers={"Host": "elsewhere.example"}, trust_env=False).status_code == 403
