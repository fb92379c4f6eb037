"""What every engine can do. An engine keeps no state of its own: its handles are stored with the attempt."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from trainyard_api.failures import FailureKind


class EngineUnavailable(Exception):
    """The engine does not answer now; the same call may work later."""


class SubmissionRefused(Exception):
    """The engine will never run this submission."""


class Phase(StrEnum):
    """Where the engine's job stands."""

    #: A queue of the engine's own holds it back; it has no resources yet.
    QUEUED = "queued"
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    #: The engine knows no such job.
    MISSING = "missing"

    @property
    def ended(self) -> bool:
        """Whether nothing of the job runs any more."""
        return self not in (Phase.QUEUED, Phase.PENDING, Phase.RUNNING)


@dataclass(frozen=True)
class Submission:
    """One attempt to run. ``environment`` is what the trainer reads; it holds no secrets."""

    submission_id: str
    job_id: str
    attempt: int
    workers: int
    resources: dict[str, Any]
    environment: dict[str, str]
    team: str = "default"
    #: How long the attempt may take; the controller stops it then, so to the engine this is a net below that.
    deadline_seconds: int | None = None
    #: The container image that it runs in; None: the platform's.
    image: str | None = None


@dataclass(frozen=True)
class EngineStatus:
    """The phase, and in words why it waits or ended badly.

    ``doomed``: it still runs, but cannot succeed any more and should be stopped; ``message`` is why.
    ``incomplete``: some of its workers have no place yet. ``crowded``: because no machine has room for them.
    ``kind``: what it failed or is doomed of, where the engine knows.
    """

    phase: Phase
    message: str | None = None
    doomed: bool = False
    incomplete: bool = False
    crowded: bool = False
    kind: FailureKind | None = None


@dataclass(frozen=True)
class Capacity:
    """What the engine can hold in all: CPU cores, GPUs, GiB of memory; ``nodes`` the same for each machine.

    ``taken`` is what others than Trainyard hold of it now, by the same names.
    """

    cpus: float
    gpus: float
    memory_gb: float
    nodes: list[dict[str, Any]] = field(default_factory=list)
    taken: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For the capacity row."""
        return asdict(self)


class Engine(ABC):
    """Runs submissions. Every method may raise EngineUnavailable.

    Every handle holds ``submission_id``, and one that holds nothing else is enough for every call: the answer to a submission may be lost.
    """

    name: ClassVar[str]
    #: Whether all workers of a job get their resources together or none does, so that half-started jobs cannot block each other.
    starts_whole: ClassVar[bool] = True

    def __init__(self) -> None:
        #: Set by an engine that follows its jobs when one may have moved on; cleared by whoever looks.
        self.news = threading.Event()

    def queues(self, team: str) -> bool:
        """Whether a queue of the engine's own decides when this team's jobs start."""
        return False

    @abstractmethod
    def submit(self, submission: Submission) -> dict[str, Any]:
        """Start the attempt, or find it when it was submitted before; the handle for the other calls. Raises SubmissionRefused."""

    def carries_on(self, handle: dict[str, Any], *, whole: bool, deadline_seconds: int | None) -> bool:
        """Whether another attempt may run where this handle's driver waits for one, within its own deadline from now on.

        ``whole``: only where no worker is missing.
        """
        return False

    @abstractmethod
    def stop(self, handle: dict[str, Any]) -> None:
        """Ask the job to end; nothing happens when it has."""

    @abstractmethod
    def delete(self, handle: dict[str, Any]) -> None:
        """Forget an ended job; nothing happens when it is gone."""

    @abstractmethod
    def submissions(self) -> list[dict[str, Any]]:
        """The handle of every submission of this platform that the engine has not forgotten."""

    @abstractmethod
    def describe(self, handle: dict[str, Any]) -> EngineStatus:
        """Where the job stands."""

    @abstractmethod
    def last_lines(self, handle: dict[str, Any], count: int = 20) -> list[str]:
        """The end of what the driver printed, for jobs that died before they could ship their logs."""

    @abstractmethod
    def capacity(self) -> Capacity:
        """What the engine can hold."""

    def close(self) -> None:  # noqa: B027 - most engines hold nothing
        """Let go of what the engine holds in this process; its jobs go on."""
