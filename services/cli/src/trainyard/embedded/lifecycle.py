"""Starting, asking and stopping the embedded platform, for the command line and for scripts."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from trainyard.embedded.components import check_packages
from trainyard.embedded.config import PlatformConfig
from trainyard.embedded.errors import AlreadyRunning, NotRunning, PlatformFailed
from trainyard.embedded.processes import MARKER, ProcessTable, end, marked_processes, running_supervisor, start, sweep
from trainyard.embedded.supervisor import hold_lock

START_SECONDS = 240.0
STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Status:
    """What runs. ``parts`` maps each part to None when it is ready and to the reason when it is not."""

    running: bool
    ready: bool
    config: PlatformConfig | None
    processes: dict[str, int] = field(default_factory=dict)
    parts: dict[str, str | None] = field(default_factory=dict)
    orphans: int = 0


def up(config: PlatformConfig, *, progress: Callable[[Status], None] = lambda _: None, timeout_seconds: float = START_SECONDS) -> Status:
    """Start the platform in the background and wait until every part is ready.

    Raises:
        AlreadyRunning: this state folder has a platform.
        PlatformError: a folder, a port, a package or a program is not as it must be; nothing is left running.
    """
    check_packages()
    config.prepare_folders()
    supervisor = running_supervisor(config)
    if supervisor is not None:
        running = PlatformConfig.load(config.state_dir) or config
        raise AlreadyRunning(f"Trainyard already runs at {running.url} (pid {supervisor.pid}); `trainyard down` stops it")
    with hold_lock(config):  # nobody else is starting; what an earlier supervisor left goes before the ports are looked at
        sweep(config.marker)
        config.check_ports()
        config.make_tokens()
        config.save()
    argv = [sys.executable, "-m", "trainyard.embedded.supervisor", str(config.state_dir)]
    environment = {**os.environ, MARKER: config.marker}
    process = start(argv, environment=environment, log=config.logs_dir / "supervisor.log", cwd=config.state_dir)
    deadline = time.monotonic() + timeout_seconds
    try:
        while True:
            if process.poll() is not None:
                raise PlatformFailed(f"the platform ended while it started:\n{_last_lines(config.logs_dir / 'supervisor.log')}")
            now = status(config.state_dir)
            progress(now)
            if now.ready:
                return now
            if time.monotonic() > deadline:
                waiting = "; ".join(f"{part}: {reason}" for part, reason in now.parts.items() if reason) or "the API does not answer"
                raise PlatformFailed(
                    f"the platform is not ready after {timeout_seconds:.0f} s ({waiting}); its logs are in {config.logs_dir}"
                )
            time.sleep(0.2)
    except BaseException:
        process.terminate()
        with contextlib.suppress(Exception):
            process.wait(STOP_SECONDS)
        sweep(config.marker)
        raise


def status(state_dir: Path) -> Status:
    """What runs with this state folder."""
    config = PlatformConfig.load(state_dir)
    if config is None:
        return Status(running=False, ready=False, config=None)
    supervisor = running_supervisor(config)
    if supervisor is None:
        return Status(running=False, ready=False, config=config, orphans=len(marked_processes(config.marker)))
    table = ProcessTable.load(config.processes_file)
    processes = {name: one.pid for name, one in table.processes.items() if one.process()} if table else {}
    parts = _parts(config)
    return Status(True, bool(parts) and not any(parts.values()), config, {"supervisor": supervisor.pid, **processes}, parts)


def _parts(config: PlatformConfig) -> dict[str, str | None]:
    try:
        body = httpx.get(f"{config.url}/readyz", timeout=5, trust_env=False).json()
        return {name: None if part["ok"] else str(part.get("detail") or "not ready") for name, part in body["parts"].items()}
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return {}


def down(state_dir: Path) -> int:
    """Stop the platform and whatever an earlier one left behind; how many processes there were.

    Raises:
        NotRunning: nothing was there to stop.
        PlatformFailed: something would not end.
    """
    config = PlatformConfig.load(state_dir) or PlatformConfig(state_dir)
    supervisor = running_supervisor(config)
    count = len(marked_processes(config.marker))
    if supervisor is not None:
        end([supervisor], patience_seconds=STOP_SECONDS)
    sweep(config.marker)
    if supervisor is None and not count:
        raise NotRunning(f"no Trainyard runs with the state folder {state_dir}")
    if left := marked_processes(config.marker):
        raise PlatformFailed(f"{len(left)} processes would not end: pids {', '.join(str(process.pid) for process in left)}")
    config.processes_file.unlink(missing_ok=True)
    return count


@contextlib.contextmanager
def platform(config: PlatformConfig) -> Iterator[Status]:
    """A platform for the length of a with-block."""
    running = up(config)
    try:
        yield running
    finally:
        with contextlib.suppress(NotRunning):
            down(config.state_dir)


def _last_lines(path: Path, count: int = 15) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return ""
