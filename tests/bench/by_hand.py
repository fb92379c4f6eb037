"""The peer of the embedded platform: its Ray head and its MLflow server alone, started without the rest, with the same options."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from trainyard.embedded import lifecycle
from trainyard.embedded.components import components
from trainyard.embedded.config import PlatformConfig, free_ports
from trainyard.embedded.processes import marked_processes, start, sweep


def fresh_config(folder: Path) -> PlatformConfig:
    """A platform in ``folder`` on free ports."""
    port, mlflow, dashboard, ray = free_ports(4)
    return PlatformConfig(folder, port=port, mlflow_port=mlflow, ray_dashboard_port=dashboard, ray_port=ray)


@contextlib.contextmanager
def fresh_platform(**options: Any) -> Iterator[PlatformConfig]:
    """A platform in a temporary folder, with these fields of its configuration."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    config = dataclasses.replace(fresh_config(folder), **options)
    try:
        with lifecycle.platform(config):
            yield config
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def ray_and_mlflow() -> Iterator[tuple[float, str]]:
    """Both servers; yields the seconds until they answered, and the marker of their processes."""
    config = fresh_config(Path(tempfile.mkdtemp(prefix="bench-")))
    config.prepare_folders()
    config.make_tokens()
    servers = [one for one in components(config) if one.name in ("ray", "mlflow")]
    by_hand = {"trainyard_train.ray_command": ["ray.scripts.scripts"], "trainyard.embedded.mlflow_process": ["mlflow", "server"]}
    begun = time.monotonic()
    children = [
        start(
            [part for word in one.argv for part in by_hand.get(word, [word])],
            environment=one.environment,
            log=config.logs_dir / f"{one.name}.log",
            cwd=config.state_dir,
        )
        for one in servers
    ]
    try:
        await_answers([f"{config.ray_dashboard_url}/api/gcs_healthz", f"{config.mlflow_url}/health"])
        yield time.monotonic() - begun, config.marker
    finally:
        sweep(config.marker, patience_seconds=1)
        for child in children:
            child.wait()
        shutil.rmtree(config.state_dir, ignore_errors=True)
        shutil.rmtree(config.ray_temp_dir, ignore_errors=True)


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
