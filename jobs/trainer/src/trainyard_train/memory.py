"""How much memory a process tree took, how much it may take, and whether the kernel killed for want of it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class MemoryReport:
    """Bytes at the peak and at most; ``killed``: the kernel ended a process of the same group, None: that cannot be known."""

    peak: int
    limit: int
    killed: bool | None

    def __str__(self) -> str:
        return f"peak {_size(self.peak)} of {_size(self.limit)}"


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def high_water() -> int:
    """The most memory that this process has held, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _groups(pid: int) -> list[Path]:
    """The folders of a process's memory control groups, its own first, then those above it; cgroup v2 before v1."""
    folders: list[Path] = []
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return []
    for line in sorted(lines):
        _, controllers, name = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root = _ROOT / controllers if controllers else _ROOT
        own = root / name.lstrip("/")
        if not own.is_dir():  # the path as seen from outside of a container, whose own group is mounted at the root
            own = root
        folders += [folder for folder in (own, *own.parents) if folder.is_relative_to(root)]
    return folders


def _counter(folder: Path) -> int | None:
    """How often the kernel has killed in this group; None where it does not count."""
    for name in ("memory.events", "memory.oom_control"):
        with contextlib.suppress(OSError, ValueError):
            for line in (folder / name).read_text().splitlines():
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    return int(value)
    return None


def _peak(folder: Path) -> int:
    """The most that a group has held; 0 where the kernel does not say."""
    for name in ("memory.peak", "memory.max_usage_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            return int((folder / name).read_text())
    return 0


def _limit(folders: list[Path]) -> int:
    """The smallest limit of these groups and of the machine."""
    limits = [os.sysconf("SC_PHYS_PAGES") * _PAGE]
    for folder in folders:
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):
                limits.append(int((folder / name).read_text()))
    return min(limits)


class MemoryWatch:
    """Follows one process and its children by `look`; `report` is for afterwards."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak, self._limit = pid, 0, _limit([])
        self._group: Path | None = None
        self._killed_before = 0
        self.look([])

    def look(self, children: list[int]) -> None:
        """Take in what the process and ``children`` hold now."""
        folders = _groups(self._pid)
        counting = next((folder for folder in folders if _counter(folder) is not None), None)
        if counting is not None and counting != self._group:
            self._group, self._killed_before = counting, _counter(counting) or 0
        if folders:
            self._limit = _limit(folders)
        held = 0
        for pid in (self._pid, *children):
            with contextlib.suppress(OSError, ValueError, IndexError):
                held += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
        self._peak = max(self._peak, held)

    def report(self, peak_of_process: int) -> MemoryReport:
        """The account of a process that has ended; ``peak_of_process``: the most that it held itself, 0 when that is not known."""
        counted = None if self._group is None else _counter(self._group)
        killed = None if counted is None else counted > self._killed_before
        peak = max(self._peak, peak_of_process)
        if killed and self._group is not None:  # it may have grown since the last look: what counted is what the group held
            peak = max(peak, min(_peak(self._group), self._limit))
        return MemoryReport(peak, self._limit, killed)
