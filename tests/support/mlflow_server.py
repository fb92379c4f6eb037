"""A real MLflow server for the tests, on SQLite and local artifacts; it can be stopped and started again on the same port."""

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import httpx
import psutil

from tests.support.waiting import wait_for
from trainyard.embedded.config import free_ports
from trainyard.embedded.processes import MARKER, marked_processes, start, sweep


class MlflowServer:
    """One server; ``url`` stays the same over restarts."""

    def __init__(self, folder: Path, prefix: str = "", options: Sequence[str] = ()) -> None:
        """Keeps its database, artifacts and log below ``folder``; listens after ``start``, at paths below ``prefix``.

        ``options`` are more of `mlflow server`.
        """
        [self._port] = free_ports(1)
        self._folder = folder
        self._marker = f"test-{secrets.token_hex(6)}"
        self._process: Popen[bytes] | None = None
        self._options = [*options, f"--static-prefix={prefix}"] if prefix else options
        self.url = f"http://127.0.0.1:{self._port}{prefix}"

    def start(self) -> None:
        """Start it, and return when it answers."""
        argv = [sys.executable, "-m", "trainyard.embedded.mlflow_process", "--host=127.0.0.1", f"--port={self._port}", "--workers=1"]
        argv += ["--backend-store-uri", f"sqlite:///{self._folder}/mlflow.db", "--artifacts-destination", str(self._folder / "artifacts")]
        argv += self._options
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "TRAINYARD_"))}
        variables |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", MARKER: self._marker}
        self._process = start(argv, environment=variables, log=self._folder / "server.log", cwd=self._folder)
        wait_for("the MLflow server", self._answers, seconds=120, every=0.2)

    @property
    def processes(self) -> list[psutil.Process]:
        """All that it consists of."""
        return marked_processes(self._marker)

    def stop(self) -> None:
        """End it with all its workers."""
        sweep(self._marker, patience_seconds=3)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        log = self._folder / "server.log"
        assert self._process.poll() is None, f"the MLflow server ended: {log.read_text(errors='replace')[-2000:]}"
        try:
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def mlflow_server() -> Iterator[MlflowServer]:
    """A server that answers."""
    folder = Path(tempfile.mkdtemp(prefix="ty-mlflow-"))
    server = MlflowServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
