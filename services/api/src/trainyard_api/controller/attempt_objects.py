"""What the trainer left in the object store about one attempt: events, heartbeats, logs and the result."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from trainyard_api.failures import FailureKind
from trainyard_api.objects.base import ObjectMissing, ObjectStore, ObjectStoreError
from trainyard_api.services.log_files import LogFile
from trainyard_api.store.models import Attempt, Job
from trainyard_api.store.repository import TrainerEvent

log = logging.getLogger(__name__)

_TAIL_LINES = 50
_LINE_LENGTH = 2000
_TAIL_BYTES = 64 * 1024
_LARGEST_SEQ = 2**31 - 1


@dataclass(frozen=True)
class AttemptResult:
    """The trainer's own account of how the attempt ended."""

    succeeded: bool
    reason: str | None = None
    kind: FailureKind = FailureKind.USER
    failed_rank: int | None = None
    tail: list[str] = field(default_factory=list)
    model_name: str | None = None
    model_version: str | None = None
    #: The driver waits to be told of the job's next attempt, or that there is none for it.
    stands_by: bool = False


def attempt_prefix(job_id: str, attempt: int) -> str:
    """Where one attempt's objects live."""
    return f"jobs/{job_id}/attempts/{attempt}"


def clean(value: Any, length: int = _LINE_LENGTH) -> str:
    """Text of the user's making as every database stores it: no NUL, no halves of characters, bounded."""
    return str(value)[:length].replace("\0", "\ufffd").encode(errors="replace").decode()


def read_result(objects: ObjectStore, job_id: str, attempt: int) -> AttemptResult | None:
    """The result, or None while there is none; one that cannot be read is a failure. Raises ObjectStoreError."""
    try:
        content = objects.get_bytes(f"{attempt_prefix(job_id, attempt)}/result.json")
    except ObjectMissing:
        return None
    try:
        body = json.loads(content)
        rank = body.get("failed_rank")
        return AttemptResult(
            succeeded=body["outcome"] == "succeeded",
            reason=clean(body["reason"]) if body.get("reason") else None,
            kind=_kind(body.get("kind")),
            failed_rank=None if rank is None else int(rank),
            tail=[clean(line) for line in body.get("tail") or []][-_TAIL_LINES:],
            model_name=clean(body["model_name"], 250) if body.get("model_name") else None,
            model_version=clean(body["model_version"], 32) if body.get("model_version") else None,
            stands_by=body.get("stands_by") is True,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return AttemptResult(False, f"the trainer's result cannot be read: {type(error).__name__}")


def next_key(job_id: str, attempt: int) -> str:
    """The object for which a driver waits that is to run the attempt after this one."""
    return f"{attempt_prefix(job_id, attempt)}/next.json"


def tell_driver(objects: ObjectStore, key: str, job: Job | None, following: Attempt | None = None) -> None:
    """Tell the driver that waits for this object which attempt of which job to run, or that it may end. Raises ObjectStoreError."""
    word: dict[str, Any] = {"attempt": None}
    if job is not None and following is not None:
        word = {"job_id": job.id, "attempt": following.number, "workers": following.workers, "spec": job.spec}
        word["mlflow_run_id"] = job.mlflow_run_id
    objects.put_bytes(key, json.dumps(word).encode())


def _kind(name: Any) -> FailureKind:
    """What the trainer does not call by a name that is known here is the user's."""
    return FailureKind(name) if name in set(FailureKind) else FailureKind.USER


def log_tail(objects: ObjectStore, job_id: str, attempt: int, count: int = 20) -> list[str]:
    """The last lines of rank 0, or of the driver when rank 0 wrote none. Raises ObjectStoreError."""
    for rank in ("0", "driver"):
        log = LogFile(objects, job_id, attempt, rank)
        start = max(0, log.size() - _TAIL_BYTES)
        content = b"".join(log.content([chunk for chunk in log.chunks_around(start, _TAIL_BYTES) if chunk.end > start]))
        lines = [clean(line) for line in content[-_TAIL_BYTES:].decode(errors="replace").splitlines() if line.strip()]
        if lines:
            return lines[-count:]
    return []


class EventReader:
    """Reads each event object once per term; the store itself ignores what it has."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._seen: dict[tuple[str, int], set[str]] = {}

    def new_events(self, job_id: str, attempt: int) -> dict[str, TrainerEvent]:
        """Events by key that were not acknowledged yet, oldest first. Raises ObjectStoreError."""
        seen = self._seen.setdefault((job_id, attempt), set())
        events: dict[str, TrainerEvent] = {}
        for info in self._objects.list(f"{attempt_prefix(job_id, attempt)}/events/"):
            if info.key in seen:
                continue
            try:
                events[info.key] = _event(json.loads(self._objects.get_bytes(info.key)))
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError) as error:
                log.warning("event %s is not readable: %s", info.key, error)
                seen.add(info.key)
        return dict(sorted(events.items(), key=lambda item: item[1].time))

    def acknowledge(self, job_id: str, attempt: int, events: dict[str, TrainerEvent]) -> None:
        """These are stored; they are not read again."""
        self._seen.setdefault((job_id, attempt), set()).update(events)

    def forget(self, job_id: str, attempt: int) -> None:
        """The attempt is over."""
        self._seen.pop((job_id, attempt), None)


def _event(body: dict[str, Any]) -> TrainerEvent:
    seq = int(body["seq"])
    if not 0 <= seq <= _LARGEST_SEQ:
        raise ValueError(f"seq {seq} is out of range")
    return TrainerEvent(
        seq=seq,
        time=datetime.fromtimestamp(float(body["time"]), UTC),
        kind=clean(body["kind"], 32),
        name=clean(body["name"], 250),
        detail=dict(body.get("detail") or {}),
    )


class Heartbeats:
    """Notices drivers that have gone silent, by this machine's clock alone: a heartbeat counts when its content changed."""

    def __init__(self, objects: ObjectStore, *, interval: float, longest: float) -> None:
        """Look at each attempt's heartbeat at most every ``interval`` seconds; of the time between two looks at most ``longest`` counts.

        Time in which nobody looked, because the object store was away or this process stood still, says nothing about the driver.
        """
        self._objects, self._interval, self._longest = objects, interval, longest
        #: Content, seconds for which it was seen not to change, and when it was looked at.
        self._last: dict[tuple[str, int], tuple[bytes, float, float]] = {}

    def silent_seconds(self, job_id: str, attempt: int) -> float:
        """For how long the heartbeat was seen not to change, counted from the first call. Raises ObjectStoreError."""
        now = time.monotonic()
        content, silent, looked = self._last.get((job_id, attempt), (b"", 0.0, now - self._interval))
        if now - looked < self._interval:
            return silent
        try:
            latest = self._objects.get_bytes(f"{attempt_prefix(job_id, attempt)}/heartbeat.json")
        except ObjectMissing:
            latest = b""
        except ObjectStoreError:  # the driver cannot be heard either; its time starts again
            self._last.pop((job_id, attempt), None)
            raise
        silent = 0.0 if latest != content else silent + min(now - looked, self._longest)
        self._last[job_id, attempt] = (latest, silent, now)
        return silent

    def forget(self, job_id: str, attempt: int) -> None:
        """The attempt is over."""
        self._last.pop((job_id, attempt), None)
