"""A job's timeline, its log and its metrics as one sequence: three streams, each read by a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from trainyard.client import Client
from trainyard.errors import ApiError, TrainyardError
from trainyard.models import Event, Job, LogChunk, MetricPoint


@dataclass(frozen=True)
class Interrupted:
    """A stream that is watched for convenience ended early; the job goes on."""

    what: str
    reason: str


Item = Event | LogChunk | list[MetricPoint] | Interrupted | Job


def follow_job(client: Client, job_id: str, *, rank: str | int | None = None) -> Iterator[Item]:
    """Everything that happens to a job from its start on, as it comes, until all of it was shown; the ended Job is last.

    Args:
        client: an open client; its connections are used by threads until the sequence ends.
        job_id: the job.
        rank: whose log; 0 by default.

    Raises:
        TrainyardError: the timeline or the log cannot be followed. Metrics that cannot (MLflow is away) give an `Interrupted`.
    """
    items: queue.SimpleQueue[Item | TrainyardError | None] = queue.SimpleQueue()
    sources: list[tuple[str, Callable[[], Iterable[Item]]]] = [
        ("timeline", lambda: client.stream_events(job_id)),
        ("log", lambda: client.stream_logs(job_id, rank=rank)),
        ("metrics", lambda: client.stream_metrics(job_id)),
    ]
    for name, open_stream in sources:
        threading.Thread(target=_read, args=(name, open_stream, items), name=f"follow {name}", daemon=True).start()
    ended: Job | None = None
    running = len(sources)
    while running:
        item = items.get()
        if item is None:
            running -= 1
        elif isinstance(item, TrainyardError):
            raise item
        elif isinstance(item, Job):
            ended = item
        else:
            yield item
    if ended is not None:
        yield ended


def _read(name: str, open_stream: Callable[[], Iterable[Item]], items: queue.SimpleQueue[Item | TrainyardError | None]) -> None:
    try:
        for item in open_stream():
            if not isinstance(item, Job) or name == "timeline":
                items.put(item)
    except ApiError as error:
        items.put(Interrupted(name, str(error)) if name == "metrics" else error)
    except TrainyardError as error:
        items.put(error)
    finally:
        items.put(None)
