"""Which jobs fit now: what the engine has, less what active jobs were given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from trainyard_api.engines.base import Capacity
from trainyard_api.store.models import Job
from trainyard_api.store.states import JobState

#: Requests are fractions of cores; this much rounding is forgiven.
_EPSILON = 1e-6


@dataclass
class FreeCapacity:
    """CPU cores, GPUs and GiB of memory that no job holds."""

    cpus: float
    gpus: float
    memory_gb: float

    @classmethod
    def of(cls, capacity: Capacity, jobs: list[Job]) -> FreeCapacity:
        """What is left beside the jobs that start or run. A job with min_workers counts with all its workers."""
        free = cls(capacity.cpus, capacity.gpus, capacity.memory_gb)
        for job in jobs:
            if job.state in (JobState.STARTING, JobState.RUNNING):
                free.take(job.resources, int(job.resources.get("workers", 1)))
        return free

    def workers_that_fit(self, resources: dict[str, Any]) -> int | None:
        """How many workers to start now: all, at least the fewest that the job accepts, or None."""
        wanted = int(resources.get("workers", 1))
        fewest = int(resources.get("min_workers") or wanted)
        fits = [wanted]
        for name, free in (("cpus", self.cpus), ("gpus", self.gpus), ("memory_gb", self.memory_gb)):
            each = float(resources.get(f"{name}_per_worker") or 0)
            if each > 0:
                fits.append(math.floor(free / each + _EPSILON))
        return min(fits) if min(fits) >= fewest else None

    def take(self, resources: dict[str, Any], workers: int) -> None:
        """Count these workers as placed."""
        self.cpus -= workers * float(resources.get("cpus_per_worker") or 0)
        self.gpus -= workers * float(resources.get("gpus_per_worker") or 0)
        self.memory_gb -= workers * float(resources.get("memory_gb_per_worker") or 0)

    def as_dict(self) -> dict[str, float]:
        """For the capacity row."""
        return {"cpus_free": max(0.0, self.cpus), "gpus_free": max(0.0, self.gpus), "memory_gb_free": max(0.0, round(self.memory_gb, 2))}
