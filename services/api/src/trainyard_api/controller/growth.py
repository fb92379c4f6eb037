"""Elastic jobs that run with fewer workers than they asked for grow when there is room again, at a checkpoint."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable

from trainyard_api.controller.placement import FreeCapacity
from trainyard_api.engines.base import Engine
from trainyard_api.store.models import Attempt, Job
from trainyard_api.store.states import JobState


class Growth:
    """Room that has been there for a while. A restart is not free: a gap between two jobs of others is no reason for one."""

    def __init__(self, engine: Engine, seconds: float) -> None:
        """``seconds``: for how long the room must have been there."""
        self._engine, self._seconds = engine, seconds
        #: By submission id: how many workers fit, and since when more than the attempt has.
        self._room: dict[str, tuple[int, float]] = {}

    def look(self, placed: Iterable[tuple[Job, Attempt]], free: FreeCapacity) -> None:
        """Take note of what fits beside everything that was placed; to be called only while no job waits for room."""
        placed = list(placed)
        now = time.monotonic()
        before, self._room = self._room, {}
        for job, attempt in placed:
            workers = self._workers(job, attempt, placed, free)
            if workers > attempt.workers:
                _, since = before.get(attempt.submission_id, (workers, now))
                self._room[attempt.submission_id] = workers, since

    def forget(self) -> None:
        """Somebody waits: what is free is theirs."""
        self._room.clear()

    def due(self, attempt: Attempt) -> int | None:
        """How many workers the attempt's job should go on with, or None to leave it alone."""
        workers, since = self._room.get(attempt.submission_id, (0, 0.0))
        return workers if workers > attempt.workers and time.monotonic() - since >= self._seconds else None

    def _workers(self, job: Job, attempt: Attempt, placed: list[tuple[Job, Attempt]], free: FreeCapacity) -> int:
        """How many would fit in its place."""
        if job.state is not JobState.RUNNING or attempt.finished_at is not None or attempt.stop_requested_at is not None:
            return 0
        if self._engine.queues(job.team):
            return 0
        if not self._engine.starts_whole and any(other.team == job.team and other.id != job.id for other, _ in placed):
            return 0  # the team's quota, which only the engine knows, may not have what the machines have
        room = copy.copy(free)
        room.take(job.resources, -attempt.workers)
        return room.workers_that_fit(job.resources) or 0
