"""What the trainer left in the object store about one attempt: events and the result."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from trainyard_api.objects.base import ObjectMissing, ObjectStore
from trainyard_api.store.repository import TrainerEvent

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AttemptResult:
    """The trainer's own account of how the attempt ended."""

    succeeded: bool
    reason: str | None = None
    failed_rank: int | None = None
    tail: list[str] = field(default_factory=list)
    model_name: str | None = None
    model_version: str | None = None


def attempt_prefix(job_id: str, attempt: int) -> str:
    """Where one attempt's objects live."""
    return f"jobs/{job_id}/attempts/{attempt}"


def read_result(objects: ObjectStore, job_id: str, attempt: int) -> AttemptResult | None:
    """The result, or None while there is none. Raises ObjectStoreError."""
    try:
        content = objects.get_bytes(f"{attempt_prefix(job_id, attempt)}/result.json")
    except ObjectMissing:
        return None
    body = json.loads(content)
    return AttemptResult(
        succeeded=body["outcome"] == "succeeded",
        reason=body.get("reason"),
        failed_rank=body.get("failed_rank"),
        tail=[str(line)[:2000] for line in body.get("tail") or []][-50:],
        model_name=body.get("model_name"),
        model_version=body.get("model_version"),
    )


class EventReader:
    """Reads each event object once per process; the store itself ignores what it has."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._seen: dict[tuple[str, int], set[str]] = {}

    def new_events(self, job_id: str, attempt: int) -> list[TrainerEvent]:
        """Events that this reader has not returned yet. Raises ObjectStoreError."""
        seen = self._seen.setdefault((job_id, attempt), set())
        events: list[tuple[str, TrainerEvent]] = []
        for info in self._objects.list(f"{attempt_prefix(job_id, attempt)}/events/"):
            if info.key in seen:
                continue
            try:
                events.append((info.key, _event(json.loads(self._objects.get_bytes(info.key)))))
            except (ValueError, KeyError, TypeError, OverflowError) as error:
                log.warning("event %s is not readable: %s", info.key, error)
                seen.add(info.key)
        seen.update(key for key, _ in events)
        return sorted((event for _, event in events), key=lambda event: event.time)

    def forget(self, job_id: str, attempt: int) -> None:
        """The attempt is over."""
        self._seen.pop((job_id, attempt), None)


def _event(body: dict[str, Any]) -> TrainerEvent:
    return TrainerEvent(
        seq=int(body["seq"]),
        time=datetime.fromtimestamp(float(body["time"]), UTC),
        kind=str(body["kind"])[:32],
        name=str(body["name"])[:250],
        detail=dict(body.get("detail") or {}),
    )
