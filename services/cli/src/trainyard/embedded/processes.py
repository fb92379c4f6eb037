"""Processes known by pid and start time, so that a pid that was given to another program is never touched."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from trainyard.embedded.config import PlatformConfig, write_atomically

#: Set on every process of a platform and inherited by all they start. The underscore keeps it through the trainer's
#: cleaning of TRAINYARD_* before user code.
MARKER = "_TRAINYARD_PLATFORM"
LOG_LIMIT_BYTES = 10 * 2**20


@dataclass(frozen=True)
class ProcessId:
    """A pid and when its process started (Unix seconds)."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The process that has this pid now, or None."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    def process(self) -> psutil.Process | None:
        """The process, when it still is the same one and has not ended."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.started) < 1 and found.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return None
        return found if same else None


@dataclass
class ProcessTable:
    """What runs for one platform, as written to ``processes.json``."""

    supervisor: ProcessId
    processes: dict[str, ProcessId]

    def save(self, path: Path) -> None:
        """Write it; readers never see a part."""
        content = {"supervisor": asdict(self.supervisor), "processes": {name: asdict(one) for name, one in self.processes.items()}}
        write_atomically(path, json.dumps(content, indent=2))

    @classmethod
    def load(cls, path: Path) -> ProcessTable | None:
        """The table, or None where there is none that can be read."""
        try:
            content = json.loads(path.read_text())
            return cls(ProcessId(**content["supervisor"]), {name: ProcessId(**one) for name, one in content["processes"].items()})
        except (OSError, ValueError, KeyError, TypeError):
            return None


def running_supervisor(config: PlatformConfig) -> psutil.Process | None:
    """The supervisor of this state folder, when it lives; a stale pid file counts for nothing."""
    table = ProcessTable.load(config.processes_file)
    return table.supervisor.process() if table else None


def start(argv: Sequence[str], *, environment: Mapping[str, str], log: Path, cwd: Path) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, its output appended to ``log``."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        return subprocess.Popen(
            argv, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=cwd, start_new_session=True
        )


def marked_processes(marker: str) -> list[psutil.Process]:
    """Every living process of the platform with this marker, except the caller and its ancestors."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in own and process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARKER) == marker:
                found.append(process)
    return found


def end(processes: Iterable[psutil.Process], *, patience_seconds: float) -> None:
    """SIGTERM, and after the patience SIGKILL; returns when all are gone."""
    waiting = list(processes)
    for process in waiting:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(waiting, timeout=patience_seconds)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=10)


def sweep(marker: str, *, patience_seconds: float = 0.0, rounds: int = 20) -> int:
    """End every marked process, also those that are born meanwhile; how many there were."""
    ended: set[int] = set()
    for _ in range(rounds):
        found = marked_processes(marker)
        if not found:
            break
        ended.update(process.pid for process in found)
        end(found, patience_seconds=patience_seconds)
        time.sleep(0.05)
    return len(ended)
