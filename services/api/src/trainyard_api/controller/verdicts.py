"""What is due for an attempt, decided from what is known about it; nothing here reads or writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from trainyard_api.controller.attempt_objects import AttemptResult
from trainyard_api.engines.base import EngineStatus, Phase
from trainyard_api.store.models import Attempt, Job
from trainyard_api.store.states import JobState

CANCELLED = "cancelled by a user"


@dataclass(frozen=True)
class Verdict:
    """How the attempt is recorded, where the job goes, and how long it waits before the next attempt."""

    outcome: str
    target: JobState
    reason: str | None
    backoff: timedelta | None = None


def stop_due(job: Job, attempt: Attempt, now: datetime) -> str | None:
    """Why the attempt must be stopped, or None."""
    if job.cancel_requested_at is not None:
        return CANCELLED
    if _overdue(job, attempt, now):
        return f"ran past its deadline of {job.deadline_seconds} s"
    return None


def verdict(job: Job, attempt: Attempt, status: EngineStatus, result: AttemptResult | None, now: datetime) -> Verdict:
    """What to make of an attempt that has ended, or that could not be ended."""
    if result is not None and result.succeeded:
        return Verdict("succeeded", JobState.SUCCEEDED, None)
    if job.cancel_requested_at is not None:
        return Verdict("cancelled", JobState.CANCELLED, CANCELLED)
    # Why Trainyard stopped it comes first: what a stopped rank says of its end is only the consequence.
    reason = attempt.stop_reason or (result.reason if result is not None else None) or _account(status)
    used = attempt.number - job.attempts_before_retry
    if used <= job.retries and not (attempt.stop_reason and _overdue(job, attempt, now)):
        return Verdict("failed", JobState.RETRYING, reason, backoff(used))
    return Verdict("failed", JobState.FAILED, reason)


def backoff(attempts: int, *, base_seconds: float = 2.0, limit_seconds: float = 60.0) -> timedelta:
    """How long to wait after this many attempts: doubling, bounded."""
    return timedelta(seconds=min(limit_seconds, base_seconds * 2 ** min(30, max(0, attempts - 1))))


def _overdue(job: Job, attempt: Attempt, now: datetime) -> bool:
    if job.deadline_seconds is None or attempt.admitted_at is None:
        return False
    return now > attempt.admitted_at + timedelta(seconds=job.deadline_seconds)


def _account(status: EngineStatus) -> str:
    if status.phase is Phase.STOPPED:
        return "stopped from outside Trainyard"
    return status.message or "the job's driver ended without a result"
