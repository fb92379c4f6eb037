"""What is due for an attempt, decided from what is known about it; nothing here reads or writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from trainyard_api.controller.attempt_objects import AttemptResult
from trainyard_api.engines.base import EngineStatus, Phase
from trainyard_api.failures import FailureKind
from trainyard_api.store.models import Attempt, Job
from trainyard_api.store.states import JobState

CANCELLED = "cancelled by a user"
_MEMORY = "memory_gb_per_worker"
#: What was lost by nobody's doing will be well elsewhere; only when it happens again is there something to wait for.
_AT_ONCE = timedelta()


@dataclass(frozen=True)
class Verdict:
    """How the attempt is recorded, where the job goes, why it failed, and how long it waits before the next attempt."""

    outcome: str
    target: JobState
    reason: str | None
    kind: FailureKind | None = None
    backoff: timedelta | None = None


def stop_due(job: Job, attempt: Attempt, now: datetime) -> str | None:
    """Why the attempt must be stopped, or None."""
    if job.cancel_requested_at is not None:
        return CANCELLED
    if _overdue(job, attempt, now):
        return f"ran past its deadline of {job.deadline_seconds} s"
    return None


def verdict(
    job: Job,
    attempt: Attempt,
    status: EngineStatus,
    result: AttemptResult | None,
    now: datetime,
    *,
    earlier: Sequence[Attempt] = (),
    infrastructure_retries: int,
) -> Verdict:
    """What to make of an attempt that has ended, or that could not be ended.

    ``earlier`` are the job's failed attempts before it; ``infrastructure_retries`` of them all are not counted against its ``retries``
    when they were not the user's doing.
    """
    if result is not None and result.succeeded:
        return Verdict("succeeded", JobState.SUCCEEDED, None)
    if job.cancel_requested_at is not None:
        return Verdict("cancelled", JobState.CANCELLED, CANCELLED)
    if attempt.resize_to is not None and not _overdue(job, attempt, now):
        return Verdict("resized", JobState.RETRYING, attempt.stop_reason)
    reason, kind = _cause(attempt, status, result)
    kinds = [kind, *(FailureKind(one.failure_kind) for one in earlier if one.failure_kind)]
    spared = min(infrastructure_retries, sum(one.spared for one in kinds))
    final = attempt.stop_reason is not None and _overdue(job, attempt, now)
    if not final and 1 + len(earlier) - spared <= job.retries:
        pause = _AT_ONCE if kind.spared and not earlier else backoff(1 + len(earlier))
        return Verdict("failed", JobState.RETRYING, _advised(reason, kind), kind, pause)
    if kind is FailureKind.OUT_OF_MEMORY and not job.retries:
        return Verdict("failed", JobState.FAILED, f"{_advised(reason, kind)}: without it, another attempt would end the same way", kind)
    if kind.spared and earlier and not final:
        reason = f"{reason}; it was tried {1 + len(earlier)} times"
    return Verdict("failed", JobState.FAILED, _advised(reason, kind), kind)


def backoff(attempts: int, *, base_seconds: float = 2.0, limit_seconds: float = 60.0) -> timedelta:
    """How long to wait after this many attempts: doubling, bounded."""
    return timedelta(seconds=min(limit_seconds, base_seconds * 2 ** min(30, max(0, attempts - 1))))


def _overdue(job: Job, attempt: Attempt, now: datetime) -> bool:
    if job.deadline_seconds is None or attempt.admitted_at is None:
        return False
    return now > attempt.admitted_at + timedelta(seconds=job.deadline_seconds)


def _cause(attempt: Attempt, status: EngineStatus, result: AttemptResult | None) -> tuple[str, FailureKind]:
    """Why Trainyard stopped it comes first: what a stopped rank says of its end is only the consequence.

    Of a pod that is gone the trainer sees no more than that; the engine may know why.
    """
    if attempt.stop_reason:
        return attempt.stop_reason, FailureKind(attempt.failure_kind or FailureKind.USER)
    known_to_engine = status.kind is not None and status.message
    if result is not None and result.reason and not (result.kind is FailureKind.INFRASTRUCTURE and known_to_engine):
        return result.reason, result.kind
    return _account(status), status.kind or _unsaid(status, result)


def _unsaid(status: EngineStatus, result: AttemptResult | None) -> FailureKind:
    """Code of users runs in ranks, and the driver outlives those to write a result: one that ends without was not the user's doing."""
    return FailureKind.INFRASTRUCTURE if result is None and status.phase is not Phase.STOPPED else FailureKind.USER


def _advised(reason: str, kind: FailureKind) -> str:
    """The reason, with what to change about it."""
    if kind is FailureKind.OUT_OF_MEMORY and _MEMORY not in reason:
        return f"{reason}; raise {_MEMORY}"
    return reason


def _account(status: EngineStatus) -> str:
    if status.phase is Phase.STOPPED:
        return "stopped from outside Trainyard"
    return status.message or "the job's driver ended without a result"
