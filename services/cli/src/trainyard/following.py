"""A job's timeline, its log and its metrics as one sequence: three streams, each read by a thread of its own."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import monotonic

from trainyard.client import Client
from trainyard.errors import ApiError
from trainyard.models import Event, Job, LogChunk, MetricPoint

#: Seconds for MLflow to give its last points when everything else is there.
_METRICS_PATIENCE = 10.0
_BLINK = 0.5


@dataclass(frozen=True)
class Interrupted:
    """A stream that is watched for convenience ended early; the job goes on."""

    what: str
    reason: str


Item = Event | LogChunk | list[MetricPoint] | Interrupted | Job
_Found = queue.SimpleQueue[tuple[str, Item | Exception | None]]


def follow_job(client: Client, job_id: str, *, rank: str | int | None = None) -> Iterator[Item]:
    """Everything that happens to a job from its start on, as it comes, until all of it was shown; the ended Job is last.

    Args:
        client: an open client; its connections are used by threads until the sequence ends.
        job_id: the job.
        rank: whose log; 0 by default.

    Raises:
        TrainyardError: the timeline or the log cannot be followed. Metrics that cannot (MLflow is away) give an `Interrupted`.
    """
    found: _Found = queue.SimpleQueue()
    sources: dict[str, Callable[[], Iterable[Item]]] = {
        "timeline": lambda: client.stream_events(job_id),
        "log": lambda: client.stream_logs(job_id, rank=rank),
        "metrics": lambda: client.stream_metrics(job_id),
    }
    for name, open_stream in sources.items():
        threading.Thread(target=_read, args=(name, open_stream, found), name=f"follow {name}", daemon=True).start()
    ended: Job | None = None
    running = set(sources)
    while running:
        try:
            name, item = _next(found, _METRICS_PATIENCE if running == {"metrics"} else math.inf)
        except queue.Empty:
            yield Interrupted("metrics", "the last ones did not come in time")
            break
        if item is None:
            running.discard(name)
        elif isinstance(item, ApiError) and name == "metrics":
            yield Interrupted(name, str(item))
        elif isinstance(item, Exception):
            raise item
        elif not isinstance(item, Job):
            yield item
        elif name == "timeline":
            ended = item
    if ended is not None:
        yield ended


def _next(found: _Found, seconds: float) -> tuple[str, Item | Exception | None]:
    """The next one, within so many seconds or queue.Empty. A wait without end would sleep through a Ctrl-C that comes just as it begins."""
    deadline = monotonic() + seconds
    while True:
        try:
            return found.get(timeout=max(0.0, min(_BLINK, deadline - monotonic())))
        except queue.Empty:
            if monotonic() >= deadline:
                raise


def _read(name: str, open_stream: Callable[[], Iterable[Item]], found: _Found) -> None:
    try:
        for item in open_stream():
            found.put((name, item))
    except Exception as error:  # raised where the items are read
        found.put((name, error))
    finally:
        found.put((name, None))
