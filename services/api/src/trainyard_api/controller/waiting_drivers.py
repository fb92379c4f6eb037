"""Drivers that wait for an attempt, after a lost one or on a warm cluster, and what they were told in this term."""

from __future__ import annotations

from trainyard_api.controller.attempt_objects import next_key, tell_driver
from trainyard_api.objects.base import ObjectStore
from trainyard_api.store.models import Attempt, Job


class WaitingDrivers:
    """Tells each of them once: it may act on the first word already."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        #: By the keys of the objects.
        self._told: set[str] = set()

    def waits_for(self, attempt: Attempt) -> bool:
        """Whether a driver waits to be told of this attempt."""
        key = (attempt.handle or {}).get("waits_at")
        return bool(key) and key not in self._told

    def tell(self, job: Job, attempt: Attempt) -> None:
        """Where a driver waits for this attempt, let it begin. Raises ObjectStoreError."""
        if self.waits_for(attempt):
            key = (attempt.handle or {})["waits_at"]
            tell_driver(self._objects, key, job, attempt)
            self._told.add(key)

    def is_told_after(self, attempt: Attempt) -> bool:
        """Whether the driver that stands by after this attempt knows what follows."""
        return next_key(attempt.job_id, attempt.number) in self._told

    def dismiss(self, attempt: Attempt) -> None:
        """Let the driver that stands by after this attempt end. Raises ObjectStoreError."""
        key = next_key(attempt.job_id, attempt.number)
        tell_driver(self._objects, key, None)
        self._told.add(key)

    def forget(self, attempt: Attempt) -> None:
        """Nothing more is to be done for it."""
        self._told -= {(attempt.handle or {}).get("waits_at", ""), next_key(attempt.job_id, attempt.number)}
