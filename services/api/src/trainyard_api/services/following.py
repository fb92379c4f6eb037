"""What all live streams share: one poll's findings, and when a job has nothing more to say."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from trainyard_api.services.errors import FieldError, Invalid
from trainyard_api.store.models import Attempt, Job, utcnow
from trainyard_api.store.repository import Repository
from trainyard_api.store.states import TERMINAL

#: An attempt whose processes cannot be confirmed to have ended is waited for this long.
_CLEAN_UP_PATIENCE = timedelta(seconds=10)


@dataclass(frozen=True)
class StreamItem:
    """One event of a stream; ``position`` is the id from which a reader resumes after it."""

    kind: str
    position: str
    payload: Any


@dataclass(frozen=True)
class Batch:
    """What one poll found; ``ended`` is the job once the stream has nothing more to say."""

    items: list[StreamItem]
    ended: Job | None = None


class Follower(Protocol):
    """Follows something of one job. Holds no transaction or connection between two polls."""

    def poll(self) -> Batch:
        """What is new since the last poll. Raises NotFound when the job is gone, and what the stores raise."""
        ...


def attempt_is_over(attempt: Attempt) -> bool:
    """Whether the attempt has ended and nothing of it writes any more."""
    if attempt.finished_at is None:
        return False
    return attempt.cleaned_at is not None or utcnow() - attempt.finished_at > _CLEAN_UP_PATIENCE


def job_is_over(repository: Repository, job: Job) -> bool:
    """Whether the job has ended and nothing of it writes any more."""
    if job.state not in TERMINAL:
        return False
    attempt = repository.get_attempt(job.id, job.attempt) if job.attempt else None
    return attempt is None or attempt_is_over(attempt)


def bad_position(text: str) -> Invalid:
    """The error for an event id that this stream did not give out."""
    shown = text[:50].encode(errors="replace").decode()
    return Invalid(
        FieldError("last_event_id", f"{shown!r} is no id of this stream", "send the last id that you got, or none to start over")
    )
