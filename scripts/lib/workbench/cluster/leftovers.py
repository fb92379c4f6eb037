"""What a cluster may leave on the machine, so that before and after can be compared; and the cgroups, which outlive their processes."""

import os
import subprocess
import time
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Traces:
    """What of this machine a cluster could have changed; each a set of lines."""

    processes: frozenset[str]
    mounts: frozenset[str]
    interfaces: frozenset[str]
    routes: frozenset[str]
    rules: frozenset[str]
    ipsets: frozenset[str]
    cgroups: frozenset[str]
    namespaces: frozenset[str]
    settings: frozenset[str]

    def since(self, before: "Traces") -> list[str]:
        """Every difference from ``before``, a line each."""
        found = []
        for field in fields(self):
            now, then = getattr(self, field.name), getattr(before, field.name)
            found += [f"{field.name}: left over: {line}" for line in sorted(now - then)]
            found += [f"{field.name}: gone: {line}" for line in sorted(then - now)] if field.name not in ("processes", "cgroups") else []
        return found


def traces(folder: Path, others: Collection[str] = ()) -> Traces:
    """Those of now, of the cluster in ``folder``; ``others`` are the cgroups of clusters beside it, whose pods may come and go meanwhile.

    Of processes, only those count that were told of ``folder`` or are a pod's.
    """
    return Traces(
        processes=frozenset(_processes(str(folder), others)),
        mounts=frozenset(Path("/proc/self/mountinfo").read_text().splitlines()),
        interfaces=frozenset(path.name for path in Path("/sys/class/net").iterdir()),
        routes=frozenset(_lines("ip", "route", "show", "table", "all")),
        rules=frozenset(_rules("iptables-save") + _rules("ip6tables-save")),
        ipsets=frozenset(_lines("ipset", "list", "-n")),
        cgroups=frozenset(str(path) for path in cgroups() if path.name not in others),
        namespaces=frozenset(_lines("ip", "netns", "list")),
        settings=frozenset(_settings()),
    )


def cgroups() -> list[Path]:
    """Those of all clusters of this machine."""
    return [path for hierarchy in _hierarchies() for path in hierarchy.glob("trainyard-*")]


def remove_cgroups(name: str, *, seconds: float = 10) -> list[Path]:
    """Remove the cgroup ``name`` below every hierarchy, with all below it; those that are still in use after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        for top in _tops(name):
            for folder, _, _ in os.walk(top, topdown=False):
                try:
                    Path(folder).rmdir()
                except OSError:
                    continue  # a process in it is about to end, or something is below it still
        left = _tops(name)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def make_cgroups(name: str) -> None:
    """Make the cgroup ``name`` in every hierarchy (version 1), or in the one (version 2)."""
    for hierarchy in _hierarchies():
        (hierarchy / name).mkdir(exist_ok=True)


def _hierarchies() -> list[Path]:
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [path for path in CGROUPS.iterdir() if path.is_dir() and not path.is_symlink() and (path / "cgroup.procs").exists()]


def _tops(name: str) -> list[Path]:
    return [path for path in (hierarchy / name for hierarchy in _hierarchies()) if path.exists()]


def _processes(folder: str, others: Collection[str]) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            cgroup = (path / "cgroup").read_text()
        except OSError:
            continue
        if any(f"/{other}/" in cgroup for other in others):
            continue
        if folder in command or "/trainyard-" in cgroup or "/kubepods" in cgroup:
            found.append(f"{path.name} {command}")
    return found


def _rules(program: str) -> list[str]:
    """Rules, chains and policies, without their counters."""
    return [line.split(" [")[0] for line in _lines(program) if not line.startswith("#")]


def _settings() -> list[str]:
    names = ["net.ipv4.ip_forward", "vm.overcommit_memory", "kernel.panic", "kernel.panic_on_oops", "net.bridge.bridge-nf-call-iptables"]
    return [f"{name} {value}" for name in names for value in _lines("sysctl", "-n", name)]


def _lines(*command: str) -> list[str]:
    try:
        return [line.strip() for line in subprocess.run(command, capture_output=True, text=True).stdout.splitlines()]
    except FileNotFoundError:
        return []
