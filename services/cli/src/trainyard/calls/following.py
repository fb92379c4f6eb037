"""Attempts, timeline, logs and metrics of jobs, so far and as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import TypeAdapter

from trainyard.calls.base import Calls, given, job_path
from trainyard.models import Attempt, Event, Job, LogChunk, LogRange, LogSource, MetricPoint, Metrics
from trainyard.streams import Stream

_POINTS = TypeAdapter(list[MetricPoint])


class FollowingCalls(Calls):
    """What jobs do."""

    def job_attempts(self, job_id: str) -> list[Attempt]:
        """Every attempt, first to last."""
        return self._many(Attempt, self._http.json("GET", job_path(job_id, "/attempts")))

    def job_events(self, job_id: str) -> list[Event]:
        """The timeline so far, in order."""
        return self._many(Event, self._http.json("GET", job_path(job_id, "/events")))

    def stream_events(self, job_id: str) -> Iterator[Event | Job]:
        """The timeline from its start and as it grows; the ended Job is last."""
        for event in Stream(self._http, job_path(job_id, "/events/stream")):
            yield self._parsed(Job, event.data) if event.event == "end" else self._parsed(Event, event.data)

    def log_sources(self, job_id: str, *, attempt: int | None = None) -> list[LogSource]:
        """The logs that there are."""
        return self._many(LogSource, self._http.json("GET", job_path(job_id, "/logs/sources"), params=given(attempt=attempt)))

    def read_log(
        self, job_id: str, *, attempt: int | None = None, rank: str | int | None = None, offset: int = 0, limit: int | None = None
    ) -> LogRange:
        """At most `limit` bytes of a log from byte `offset` on; a negative offset counts from the end.

        Args:
            job_id: the job.
            attempt: the latest by default.
            rank: a number, or "driver"; 0 by default.
            offset, limit: bytes; the text is cut at a line's end where there is one.
        """
        params = given(attempt=attempt, rank=rank, offset=offset, limit=limit)
        return self._one(LogRange, self._http.json("GET", job_path(job_id, "/logs"), params=params))

    def stream_logs(
        self, job_id: str, *, attempt: int | None = None, rank: str | int | None = None, last_event_id: str | None = None
    ) -> Iterator[LogChunk | Job]:
        """A log from its start and as it grows, over all attempts unless one is given; the ended Job is last.

        Args:
            job_id: the job.
            attempt, rank: see `read_log`.
            last_event_id: `<attempt>:<offset>` to go on from.
        """
        stream = Stream(self._http, job_path(job_id, "/logs/stream"), params=given(attempt=attempt, rank=rank), last_event_id=last_event_id)
        for event in stream:
            yield self._parsed(Job, event.data) if event.event == "end" else self._parsed(LogChunk, event.data)

    def download_log(self, job_id: str, *, attempt: int | None = None, rank: str | int | None = None) -> Iterator[bytes]:
        """A whole log, byte for byte, in parts; see `read_log`."""
        return self._http.content(job_path(job_id, "/logs/download"), params=given(attempt=attempt, rank=rank))

    def get_metrics(self, job_id: str, *, keys: Iterable[str] = (), points: int | None = None) -> Metrics:
        """The job's metrics, at most `points` per series; all keys by default."""
        params = given(key=list(keys) or None, points=points)
        return self._one(Metrics, self._http.json("GET", job_path(job_id, "/metrics"), params=params))

    def stream_metrics(self, job_id: str, *, keys: Iterable[str] = ()) -> Iterator[list[MetricPoint] | Job]:
        """Metric points from the first on and as they come; the ended Job is last."""
        for event in Stream(self._http, job_path(job_id, "/metrics/stream"), params=given(key=list(keys) or None)):
            if event.event == "end":
                yield self._parsed(Job, event.data)
            else:
                yield _POINTS.validate_python(event.json()["points"])
