"""Which process is meant: a pid alone may have been given to another one since."""

import contextlib
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Identity:
    """A process of this boot: no other one ever has the same three."""

    pid: int
    started: int
    boot: str

    @property
    def alive(self) -> bool:
        """Whether it runs; one that ended and waits for its parent to notice does not."""
        return started(self.pid) == self.started and _BOOT.read_text().strip() == self.boot

    @property
    def command(self) -> tuple[str, ...]:
        """What it was started as; empty where it does not run."""
        try:
            text = Path(f"/proc/{self.pid}/cmdline").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ()
        return tuple(text.split("\0")[:-1])

    def end(self, *, seconds: float = 10) -> None:
        """Ask it to end, make it end when it has not after ``seconds``, and return when it is gone."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            self.send(how)
            if self.gone_within(seconds):
                return

    def send(self, how: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, how)

    def gone_within(self, seconds: float) -> bool:
        """Whether it ended in time."""
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def save(self, path: Path) -> None:
        """Write it so that ``load`` finds it whole or not at all."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)))
        partial.replace(path)


def started(pid: int) -> int | None:
    """The start time of a process in clock ticks since boot; None where none runs."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name before may hold anything, spaces and parentheses too
    return None if fields[0] in "ZX" else int(fields[19])


def of(pid: int) -> Identity | None:
    """The identity of a running process."""
    since = started(pid)
    return None if since is None else Identity(pid, since, _BOOT.read_text().strip())


def load(path: Path) -> Identity | None:
    """What ``save`` wrote, whether it runs or not; None where there is nothing."""
    try:
        return Identity(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
