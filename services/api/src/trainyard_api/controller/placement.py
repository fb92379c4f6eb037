"""Which jobs fit now: what the engine has, less what attempts hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from trainyard_api.engines.base import Capacity
from trainyard_api.store.models import Attempt, Job

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
    def of(cls, capacity: Capacity, placed: list[tuple[Job, Attempt]]) -> FreeCapacity:
        """What is left beside the attempts that are not cleaned up yet."""
        free = cls(capacity.cpus, capacity.gpus, capacity.memory_gb)
        for job, attempt in placed:
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
        _, fewest = _workers(resources)
        for name, unit in _UNITS.items():
            needed, has = fewest * _each(resources, name), getattr(self, name)
            if needed > has + _EPSILON:
                return f"asks for {needed:g} {unit}, the engine has {has:g}"
        return None

    def take(self, resources: dict[str, Any], workers: int) -> None:
        """Count these workers as placed."""
        self.cpus -= workers * _each(resources, "cpus")
        self.gpus -= workers * _each(resources, "gpus")
        self.memory_gb -= workers * _each(resources, "memory_gb")

    def as_dict(self) -> dict[str, float]:
        """For the capacity row."""
        return {f"{name}_free": max(0.0, round(getattr(self, name), 2)) for name in _UNITS}


def _workers(resources: dict[str, Any]) -> tuple[int, int]:
    wanted = int(resources.get("workers") or 1)
    return wanted, int(resources.get("min_workers") or wanted)


def _each(resources: dict[str, Any], name: str) -> float:
    return float(resources.get(f"{name}_per_worker") or 0)
