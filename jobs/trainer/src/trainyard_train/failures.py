"""Why ranks failed: what each agent writes down, and which of them was first."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from trainyard_train.memory import MemoryReport
from trainyard_train.objects import Objects

#: user: the program's own doing; infrastructure: what it stood on gave way; hung: it gave no sign of life or made no progress.
Kind = Literal["user", "infrastructure", "out_of_memory", "hung"]

#: Sent from outside; other signals are what a program's own native code dies of.
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
#: What Ray says of a worker that its memory monitor has killed.
_RAY_MEMORY = ("low on memory", "outofmemory", "memory monitor", "memory pressure")


class AttemptFailed(Exception):
    """The attempt cannot go on; the message says why. ``lost``: what Ray says about each failed rank."""

    def __init__(self, reason: str, kind: Kind, lost: Mapping[int, str] | None = None) -> None:
        super().__init__(reason)
        self.kind, self.lost = kind, dict(lost or {})


@dataclass(frozen=True)
class Failure:
    """One rank's end. ``reason`` follows "rank 3 ..." in a sentence; ``victim``: a collective broke because another rank was gone."""

    rank: int
    time: float
    reason: str
    tail: list[str]
    victim: bool = False
    kind: Kind = "user"

    def save(self, objects: Objects, prefix: str) -> None:
        """Write it below the attempt's prefix. Raises OSError."""
        objects.put_json(f"{prefix}/failures/rank-{self.rank}.json", asdict(self))


def describe(returncode: int, error: Mapping[str, Any] | None, seconds: float, memory: MemoryReport) -> tuple[str, Kind] | None:
    """How a training process ended that ran for ``seconds``, or None when it ended well; ``error`` is what its code raised."""
    if returncode == 0:
        return None
    if returncode < 0:
        return _describe_signal(-returncode, seconds, memory)
    if error is None:
        return f"exited with code {returncode}", "user"
    message = " ".join(str(error["message"]).split())[:500]
    raised = f"raised {error['type']}: {message}" if message else f"raised {error['type']}"
    kind: Kind = error["failure"]
    return (f"ran out of memory: {memory}; {raised}" if kind == "out_of_memory" else raised), kind


def _describe_signal(number: int, seconds: float, memory: MemoryReport) -> tuple[str, Kind]:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    ended = f"was killed by {name} after {seconds:.0f} s"
    if number != signal.SIGKILL:
        return ended, "infrastructure" if number in _FROM_OUTSIDE else "user"
    if memory.killed:
        return f"ran out of memory: {memory}", "out_of_memory"
    if memory.killed is None:
        return f"{ended}; whether for want of memory is not known ({memory})", "infrastructure"
    return f"{ended}, by another process and not for want of memory ({memory})", "infrastructure"


def first_failure(failures: Iterable[Failure], lost: Mapping[int, str]) -> Failure | None:
    """The failure that the others followed from.

    Args:
        failures: what the agents wrote down.
        lost: what Ray says about the ranks that failed; one that wrote nothing down is gone with its Ray worker.
    """
    written = sorted(failures, key=lambda failure: (failure.victim, failure.time))
    causes = [failure for failure in written if not failure.victim]
    told = {failure.rank for failure in written}
    gone = [_lost_worker(rank, why) for rank, why in sorted(lost.items()) if rank not in told]
    return next(iter([*causes, *gone, *written]), None)


def _lost_worker(rank: int, why: str) -> Failure:
    kind: Kind = "out_of_memory" if any(sign in why.lower() for sign in _RAY_MEMORY) else "infrastructure"
    return Failure(rank, 0.0, f"lost its Ray worker: {why}", [], kind=kind)


def read_failures(objects: Objects, prefix: str) -> list[Failure]:
    """What the agents of one attempt wrote down. Raises OSError."""
    return [Failure(**objects.get_json(key)) for key in objects.list(f"{prefix}/failures")]
