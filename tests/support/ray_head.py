"""A real Ray head for the tests: token authentication on, in a session of its own, ended with everything that it started."""

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.waiting import wait_for
from trainyard.embedded.config import free_ports
from trainyard.embedded.processes import MARKER, marked_processes, start, sweep

_OBJECT_STORE_BYTES = 128 * 2**20


@dataclass(frozen=True)
class RayHead:
    """A running head: its dashboard's URL, the token, and the marker in the environment of all its processes and their children."""

    url: str
    token: str
    token_file: Path
    marker: str
    log: Path

    def process_ids(self) -> set[int]:
        """Every living process that the head or one of its jobs started."""
        return {process.pid for process in marked_processes(self.marker)}


@contextmanager
def ray_head(cpus: int = 2, environment: dict[str, str] | None = None) -> Iterator[RayHead]:
    """Start a head on 127.0.0.1 with ``cpus`` logical CPUs; ``environment`` is added to that of the head and its jobs."""
    folder = Path(tempfile.mkdtemp(prefix="ty-ray-"))  # short: a socket's path may have 107 bytes
    marker = f"test-{secrets.token_hex(6)}"
    token = secrets.token_urlsafe(32)
    token_file, log = folder / "token", folder / "head.log"
    token_file.write_text(token)
    token_file.chmod(0o600)
    port, dashboard, agent, metrics, runtime_env = free_ports(5)
    argv = [
        sys.executable,
        "-m",
        "trainyard_train.ray_command",
        "start",
        "--head",
        "--block",
        "--disable-usage-stats",
        "--include-log-monitor=false",
        "--no-monitor",
    ]
    argv += ["--node-ip-address=127.0.0.1", f"--port={port}", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"]
    argv += [f"--dashboard-agent-listen-port={agent}", f"--metrics-export-port={metrics}"]
    argv += [f"--runtime-env-agent-port={runtime_env}", f"--num-cpus={cpus}", f"--temp-dir={folder}/ray"]
    argv += [f"--object-store-memory={_OBJECT_STORE_BYTES}"]
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "TRAINYARD_"))}
    variables |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token_file), "RAY_USAGE_STATS_ENABLED": "0", MARKER: marker}
    variables |= {"DASHBOARD_METRIC_PORT": "-1"}  # a fixed port by default, and two heads may run at a time
    head = start(argv, environment=variables | (environment or {}), log=log, cwd=folder)
    url = f"http://127.0.0.1:{dashboard}"
    try:
        wait_for("the Ray head's Jobs API", lambda: _answers(url, token, head.poll(), log), seconds=120, every=0.2)
        yield RayHead(url, token, token_file, marker, log)
    finally:
        sweep(marker, patience_seconds=1)
        head.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(url: str, token: str, returncode: int | None, log: Path) -> bool:
    assert returncode is None, f"the Ray head ended with {returncode}: {log.read_text(errors='replace')[-2000:]}"
    try:
        return httpx.get(f"{url}/api/jobs/", headers={"Authorization": f"Bearer {token}"}, timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
