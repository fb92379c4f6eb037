"""The supervisor: `python -m trainyard.embedded.supervisor STATE_DIR` starts the programs, restarts those that die, and ends them all."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import psutil

from trainyard.embedded.components import Component, components
from trainyard.embedded.config import PlatformConfig
from trainyard.embedded.errors import AlreadyRunning, PlatformError
from trainyard.embedded.processes import MARKER, ProcessId, ProcessTable, end, marked_processes, start, sweep

log = logging.getLogger("supervisor")

POLL_SECONDS = 0.25
RESTART_LIMIT_SECONDS = 30.0
#: Having run for this long, a program that dies is restarted at once again.
STABLE_SECONDS = 60.0


class _Kept:
    """One program and its restarts."""

    def __init__(self, component: Component, config: PlatformConfig) -> None:
        self.component, self._config = component, config
        self.process: subprocess.Popen[bytes] | None = None
        self._failures = 0
        self._started_at = self._retry_at = 0.0

    def start(self) -> ProcessId | None:
        """Start it; its identity, or None when it died at once."""
        component = self.component
        self.process = start(
            component.argv,
            environment=component.environment,
            log=self._config.logs_dir / f"{component.name}.log",
            cwd=self._config.state_dir,
        )
        self._started_at = time.monotonic()
        return ProcessId.of(self.process.pid)

    def restart_when_due(self) -> ProcessId | None:
        """Notice a death and start again after a pause that doubles; the new identity when it was started."""
        now = time.monotonic()
        if self.process is not None and (code := self.process.poll()) is not None:
            self._failures = 1 if now - self._started_at > STABLE_SECONDS else self._failures + 1
            pause = min(RESTART_LIMIT_SECONDS, 0.5 * 2**self._failures)
            self._retry_at = now + pause
            self.process = None
            log.error(
                "%s ended with %s; starting it again in %.0f s (see logs/%s.log)", self.component.title, code, pause, self.component.name
            )
        if self.process is None and now >= self._retry_at:
            return self.start()
        return None

    def tree(self) -> list[psutil.Process]:
        """The program with all it started."""
        if self.process is None:
            return []
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        return []


def hold_lock(config: PlatformConfig) -> IO[str]:
    """The state folder's lock, held while the file is open. Raises AlreadyRunning."""
    file = config.lock_file.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise AlreadyRunning(f"a platform with the state folder {config.state_dir} is running") from None
    return file


def supervise(config: PlatformConfig, stop: threading.Event) -> None:
    """Run the platform until ``stop`` is set. Raises AlreadyRunning."""
    with hold_lock(config):
        if orphans := sweep(config.marker):
            log.warning("ended %s processes that an earlier platform left behind", orphans)
        shutil.rmtree(config.state_dir / "incoming", ignore_errors=True)  # uploads that a killed API had half received
        _prepare_ray_folder(config)
        table = ProcessTable(ProcessId(os.getpid(), psutil.Process().create_time()), {})
        kept = [_Kept(component, config) for component in components(config)]
        try:
            for one in kept:
                _enter(table, config, one.component.name, one.start())
            while not stop.wait(POLL_SECONDS):
                for one in kept:
                    if one.component.name == "ray" and one.process is not None and one.process.poll() is not None:
                        end(_ray_leftovers(config, kept), patience_seconds=0)
                    _enter(table, config, one.component.name, one.restart_when_due())
        finally:
            _end_all(config, kept)
            config.processes_file.unlink(missing_ok=True)


def _enter(table: ProcessTable, config: PlatformConfig, name: str, identity: ProcessId | None) -> None:
    if identity is None:
        return
    table.processes[name] = identity
    table.save(config.processes_file)
    log.info("%s started, pid %s", name, identity.pid)


def _end_all(config: PlatformConfig, kept: list[_Kept]) -> None:
    """In reverse order, so that nobody calls one that is gone; then whatever is left, by the marker."""
    for one in reversed(kept):
        end(one.tree(), patience_seconds=one.component.patience_seconds)
        log.info("%s ended", one.component.name)
    if orphans := sweep(config.marker):
        log.info("ended %s more processes", orphans)


def _ray_leftovers(config: PlatformConfig, kept: list[_Kept]) -> list[psutil.Process]:
    """What a dead head left behind: marked processes that belong to no other program."""
    others = {process.pid for one in kept if one.component.name != "ray" for process in one.tree()}
    return [process for process in marked_processes(config.marker) if process.pid not in others]


def _prepare_ray_folder(config: PlatformConfig) -> None:
    """An empty folder of ours: old sessions hold nothing that is needed, and grow."""
    folder = config.ray_temp_dir
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        raise PlatformError(f"{folder} belongs to somebody else; remove it, or set TMPDIR to another folder")


def main() -> int:
    """Entry of the detached supervisor; the configuration is in the platform file."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    config = PlatformConfig.load(Path(sys.argv[1]))
    if config is None:
        log.error("no platform file below %s", sys.argv[1])
        return 2
    os.environ[MARKER] = config.marker
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    try:
        supervise(config, stop)
    except PlatformError as error:
        log.error("%s", error)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
