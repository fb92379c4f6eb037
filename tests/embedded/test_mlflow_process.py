"""MLflow's server as the platform starts it: what `mlflow server` is with the same arguments, in one process."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.mlflow_server import MlflowServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MlflowServer]:
    """It listens below a prefix, and to one name."""
    server = MlflowServer(tmp_path, "/mlflow", ["--allowed-hosts=127.0.0.1:*"])
    try:
        server.start()
        yield server
    finally:
        server.stop()


def test_one_process_serves_as_it_was_told(server: MlflowServer) -> None:
    [process] = server.processes
    assert process.children() == []
    asked = f"{server.url}/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert httpx.get(asked, trust_env=False).json()["experiment"]["name"] == "Default"
    assert httpx.get(asked.replace("/mlflow", "", 1), trust_env=False).status_code == 404
    assert httpx.get(asked, headers={"Host": "elsewhere.example"}, trust_env=False).status_code == 403
