"""Signs of life of a training process: counters in a shared file, and a dump of its stacks on request."""

from __future__ import annotations

import faulthandler
import mmap
import os
import signal
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path

BEAT_SECONDS = 1.0
#: A process that gives no sign of life for this long is hung; before its first one it may be reading its programs.
SILENCE_SECONDS = 30.0
START_SECONDS = 300.0
#: A process that uses this part of a core lives, although a native call keeps its other threads from running.
BUSY_SHARE = 0.02
DUMP_SECONDS = 3.0
#: Real-time signals are left alone by frameworks and schedulers.
DUMP_SIGNAL = signal.SIGRTMIN + 11
_COUNTERS = struct.Struct("QQ")
_TICKS = os.sysconf("SC_CLK_TCK")


class _Counters:
    """Beats and progress, written by the training process. Until `start` nothing is written anywhere."""

    def __init__(self) -> None:
        self._map: mmap.mmap | None = None
        self._beats = self._progress = 0

    def start(self, counters: Path, stacks: Path) -> None:
        """Beat from now on, and write all stacks to ``stacks`` on `DUMP_SIGNAL`, also while Python code is stuck."""
        with counters.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _COUNTERS.size)
        # The descriptor stays open for the handler.
        handle = os.open(stacks, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        faulthandler.register(DUMP_SIGNAL, file=handle, all_threads=True)
        threading.Thread(target=self._beat, name="sign of life", daemon=True).start()

    def _beat(self) -> None:
        while True:
            self._beats += 1
            self._write()
            time.sleep(BEAT_SECONDS)

    def advance(self) -> None:
        """Count one step or report."""
        if self._map is not None:
            self._progress += 1
            self._write()

    def _write(self) -> None:
        if self._map is not None:
            _COUNTERS.pack_into(self._map, 0, self._beats, self._progress)


_counters = _Counters()
start = _counters.start
advance = _counters.advance


@dataclass(frozen=True)
class Seen:
    """What can be seen of a process from outside."""

    beats: int
    progress: int
    cpu_seconds: float


class LifeWatch:
    """In the agent: how long a training process has been silent. Time in which this process did not run either does not count."""

    def __init__(self, counters: Path, pid: int, *, stall_seconds: float | None) -> None:
        """``counters`` is made here; ``stall_seconds``: the longest time without a step or a report, None for any."""
        self._file, self._pid, self._stall_seconds = counters, pid, stall_seconds
        self._last, self._looked = self._look(), time.monotonic()
        self._silent = self._stalled = 0.0

    @staticmethod
    def prepare(counters: Path) -> None:
        """Make the file that the process will write to."""
        counters.parent.mkdir(parents=True, exist_ok=True)
        counters.write_bytes(bytes(_COUNTERS.size))

    def hung(self) -> str | None:
        """Why the process counts as hung, or None; to be called about every second."""
        seen, now = self._look(), time.monotonic()
        elapsed = now - self._looked
        counted = min(elapsed, 2 * BEAT_SECONDS)
        busy = seen.cpu_seconds - self._last.cpu_seconds >= BUSY_SHARE * elapsed
        self._silent = 0.0 if busy or seen.beats != self._last.beats else self._silent + counted
        self._stalled = 0.0 if seen.progress != self._last.progress else self._stalled + counted
        self._last, self._looked = seen, now
        if self._silent >= (SILENCE_SECONDS if seen.beats else START_SECONDS):
            return f"hung: no sign of life for {self._silent:.0f} s"
        if self._stall_seconds is not None and self._stalled >= self._stall_seconds:
            return f"hung: no step and no report for {self._stalled:.0f} s"
        return None

    def _look(self) -> Seen:
        beats, progress = _COUNTERS.unpack(self._file.read_bytes())
        fields = _stat(self._pid)
        return Seen(beats, progress, (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat behind the program's name: state first; none when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def dump_stacks(pid: int, stacks: Path) -> str:
    """The stacks of all threads of a process, which is left stopped; in its place what is known of it, when it does not answer."""
    state = (_stat(pid) or ["gone"])[0]
    text = f"process {pid}, state {state}{' (stopped by a signal)' if state == 'T' else ''}\n\n"
    before = stacks.stat().st_size if stacks.exists() else 0
    try:
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, DUMP_SIGNAL)
        size, deadline = before, time.monotonic() + DUMP_SECONDS
        while time.monotonic() < deadline:
            time.sleep(0.1)
            grown = stacks.stat().st_size if stacks.exists() else 0
            if grown > before and grown == size:
                break
            size = grown
        os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        return f"{text}the process is gone\n"
    dump = stacks.read_bytes()[before:].decode(errors="replace") if stacks.exists() else ""
    return text + (dump or f"it did not answer the request for its stacks within {DUMP_SECONDS:.0f} s\n")
