"""Which jobs fit now: what the engine has, less what attempts hold."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainyard_api.engines.base import Capacity, Engine, EngineStatus, Phase
from trainyard_api.store.models import Attempt, Job
from trainyard_api.teams import Teams

#: Requests are fractions of cores; this much rounding is forgiven.
_EPSILON = 1e-6
_UNITS = {"cpus": "CPUs", "gpus": "GPUs", "memory_gb": "GiB of memory"}


@dataclass
class FreeCapacity:
    """CPU cores, GPUs and GiB of memory that no attempt holds."""

    cpus: float
    gpus: float
    memory_gb: float

    @classmethod
    def whole(cls, capacity: Capacity) -> FreeCapacity:
        """As if nothing ran."""
        return cls(capacity.cpus, capacity.gpus, capacity.memory_gb)

    @classmethod
    def of(cls, capacity: Capacity, placed: list[tuple[Job, Attempt]]) -> FreeCapacity:
        """What is left beside others, and the attempts that were admitted and are not cleaned up yet."""
        free = cls(*(getattr(capacity, name) - capacity.taken.get(name, 0.0) for name in _UNITS))
        for job, attempt in placed:
            if attempt.admitted_at is not None:
                free.take(job.resources, attempt.workers)
        return free

    def workers_that_fit(self, resources: dict[str, Any]) -> int | None:
        """How many workers to start now: all, at least the fewest that the job accepts, or None."""
        wanted, fewest = _workers(resources)
        fits = [wanted]
        for name in _UNITS:
            each = _each(resources, name)
            if each > 0:
                fits.append(math.floor(getattr(self, name) / each + _EPSILON))
        return min(fits) if min(fits) >= fewest else None

    def shortage(self, resources: dict[str, Any]) -> str | None:
        """What keeps the fewest workers that the job accepts from fitting, in words; None when they fit."""
        short = self._short(resources)
        return None if short is None else "asks for {0:g} {2}, the engine has {1:g}".format(*short)

    def waits_for(self, resources: dict[str, Any]) -> str | None:
        """The same of a job that will fit later."""
        short = self._short(resources)
        return None if short is None else "waits for {0:g} {2}; {1:g} free now".format(*short)

    def _short(self, resources: dict[str, Any]) -> tuple[float, float, str] | None:
        """Needed, there, and the unit."""
        _, fewest = _workers(resources)
        for name, unit in _UNITS.items():
            needed, has = fewest * _each(resources, name), getattr(self, name)
            if needed > has + _EPSILON:
                return needed, max(0.0, round(has, 2)), unit
        return None

    def take(self, resources: dict[str, Any], workers: int) -> None:
        """Count these workers as placed."""
        self.cpus -= workers * _each(resources, "cpus")
        self.gpus -= workers * _each(resources, "gpus")
        self.memory_gb -= workers * _each(resources, "memory_gb")

    def as_dict(self) -> dict[str, float]:
        """For the capacity row."""
        return {f"{name}_free": max(0.0, round(getattr(self, name), 2)) for name in _UNITS}


class StartGate:
    """Which teams may start a job now.

    Where an engine may give a job some of its workers and make it wait for the others, a team's next job starts only when the one
    before has all of its workers, and nobody's starts while no machine has room for one that has started: so no two wait for each other.
    """

    def __init__(self, engine: Engine, teams: Teams, placed: list[tuple[Job, Attempt]], statuses: Mapping[str, EngineStatus]) -> None:
        """``statuses`` are what the engine said of attempts, by submission id; one of which nothing is known is taken to be starting."""
        self._engine, self._limits = engine, {team.name: team.max_jobs for team in teams}
        self._jobs = Counter(job.team for job, _ in placed)
        self._starting: dict[str, str] = {}
        self._crowded: str | None = None
        for job, attempt in placed:
            if attempt.finished_at is None and self._gated(job.team):
                status = statuses.get(attempt.submission_id)
                if status is None or (status.phase is Phase.PENDING and status.incomplete):
                    self._starting[job.team] = job.id
                if status is not None and status.crowded:
                    self._crowded = job.id

    def holds(self, team: str) -> str | None:
        """Why a job of this team does not start now, or None when it may."""
        if (full := self.is_full(team)) or not self._gated(team):
            return full
        if team in self._starting:
            return f"waits until job {self._starting[team]} of the same team has all its workers"
        if self._crowded is not None:
            return f"waits until there is room for job {self._crowded}, which came first"
        return None

    def is_full(self, team: str) -> str | None:
        """That the team has as many jobs as it may, in words; None when it has not."""
        limit = self._limits.get(team)
        if limit is None or self._jobs[team] < limit:
            return None
        return f"the team {team} runs as many jobs at a time as it may ({limit})"

    def started(self, team: str, job_id: str, *, whole: bool = False) -> None:
        """A job of this team has just been started; ``whole``: on workers that are all there."""
        self._jobs[team] += 1
        if self._gated(team) and not whole:
            self._starting[team] = job_id

    def _gated(self, team: str) -> bool:
        return not (self._engine.starts_whole or self._engine.queues(team))


def _workers(resources: dict[str, Any]) -> tuple[int, int]:
    wanted = int(resources.get("workers") or 1)
    return wanted, int(resources.get("min_workers") or wanted)


def _each(resources: dict[str, Any], name: str) -> float:
    return float(resources.get(f"{name}_per_worker") or 0)
