"""The peer of the embedded platform: a Ray head and an MLflow server, started by hand with the same options."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil

from trainyard.embedded.config import free_ports
from trainyard.embedded.processes import MARKER, marked_processes, start, sweep


@contextlib.contextmanager
def ray_and_mlflow() -> Iterator[tuple[float, str]]:
    """Both servers; yields the seconds until they answered, and the marker of their processes."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    marker = f"by-hand-{secrets.token_hex(4)}"
    port, dashboard, agent, client, mlflow = free_ports(5)
    token = folder / "token"
    token.write_text(secrets.token_urlsafe(32))
    environment = {**os.environ, MARKER: marker, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    environment |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    ray = [
        sys.executable,
        "-m",
        "ray.scripts.scripts",
        "start",
        "--head",
        "--block",
        "--disable-usage-stats",
        "--node-ip-address=127.0.0.1",
    ]
    ray += [
        f"--port={port}",
        f"--dashboard-port={dashboard}",
        f"--dashboard-agent-listen-port={agent}",
        f"--ray-client-server-port={client}",
    ]
    ray += [f"--temp-dir={folder}/ray", f"--object-store-memory={256 * 2**20}"]
    server = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(mlflow), "--workers", "1"]
    server += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts")]
    begun = time.monotonic()
    children = [
        start(argv, environment=environment, log=folder / f"{name}.log", cwd=folder) for name, argv in (("ray", ray), ("mlflow", server))
    ]
    try:
        await_answers([f"http://127.0.0.1:{dashboard}/api/gcs_healthz", f"http://127.0.0.1:{mlflow}/health"])
        yield time.monotonic() - begun, marker
    finally:
        sweep(marker, patience_seconds=1)
        for child in children:
            child.wait()
        shutil.rmtree(folder, ignore_errors=True)


def await_answers(urls: list[str], timeout_seconds: float = 240) -> None:
    """Return when every URL answers 200. Raises TimeoutError."""
    deadline = time.monotonic() + timeout_seconds
    waiting = list(urls)
    while waiting:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(waiting[0], timeout=2, trust_env=False).status_code == 200:
                waiting.pop(0)
                continue
        if time.monotonic() > deadline:
            raise TimeoutError(f"{waiting[0]} does not answer")
        time.sleep(0.1)


def memory_mb(marker: str) -> float:
    """Proportional memory of every process with this marker, shared pages counted once."""
    total = 0
    for process in marked_processes(marker):
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 2**20
