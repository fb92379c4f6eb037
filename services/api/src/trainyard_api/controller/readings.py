"""What all running attempts have in the object store, read side by side: a store far away takes longer to answer than to be asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass

from trainyard_api.controller.attempt_objects import AttemptResult, EventReader, Heartbeats, read_result
from trainyard_api.objects.base import ObjectStore
from trainyard_api.store.models import Attempt
from trainyard_api.store.repository import TrainerEvent

#: Half of what the object store's client keeps connections for.
_AT_ONCE = 16


@dataclass(frozen=True)
class Reading:
    """Of one attempt: its result, and the events that were not acknowledged yet, by key, with all that came before the result."""

    events: dict[str, TrainerEvent]
    result: AttemptResult | None
    #: For how long its driver has given no sign of life; 0 for one that was not known to run.
    silent_seconds: float


class Readings:
    """Begins a round's readings at once and hands out each when it is asked for. Used by the leading thread only."""

    def __init__(self, objects: ObjectStore, events: EventReader, heartbeats: Heartbeats) -> None:
        self._objects, self._events, self._heartbeats = objects, events, heartbeats
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="readings")
        self._begun: dict[str, Future[Reading]] = {}

    @contextmanager
    def begun(self, attempts: Iterable[tuple[Attempt, bool]]) -> Iterator[None]:
        """Read these in their order, a few at a time, and the heartbeats of those that run; what nobody has taken by the end is left."""
        self._begun = {attempt.submission_id: self._pool.submit(self._read, attempt, runs) for attempt, runs in attempts}
        try:
            yield
        finally:
            for reading in self._begun.values():
                reading.cancel()

    def take(self, attempt: Attempt, *, anew: bool) -> Reading:
        """The attempt's, of this round; with ``anew`` all that is there at this call. Raises ObjectStoreError."""
        begun = self._begun.pop(attempt.submission_id, None)
        if begun is not None and not anew:
            return begun.result()
        if begun is not None and not begun.cancel():
            wait([begun])
        return self._read(attempt, runs=False)

    def _read(self, attempt: Attempt, runs: bool) -> Reading:
        job_id, number = attempt.job_id, attempt.number
        result = read_result(self._objects, job_id, number)
        events = self._events.new_events(job_id, number)
        return Reading(events, result, self._heartbeats.silent_seconds(job_id, number) if runs and result is None else 0.0)
