"""Attempts of jobs, and the timeline that they and the platform write."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from trainyard_api.store.errors import NotFound
from trainyard_api.store.lease import Lease, check_lease
from trainyard_api.store.models import WITHOUT_CONTENT, Attempt, Event, Job, WarmCluster, utcnow
from trainyard_api.store.states import JobState
from trainyard_api.store.transactions import Records, append_event, find_job, move_job


@dataclass(frozen=True)
class TrainerEvent:
    """One event object that the trainer wrote."""

    seq: int
    time: datetime
    kind: str
    name: str
    detail: dict[str, Any]


class Attempts(Records):
    """The attempts and events tables."""

    def start_attempt(
        self, job_id: str, source: JobState, workers: int, *, admitted: bool = True, lease: Lease | None = None
    ) -> tuple[Job, Attempt]:
        """STARTING: make the next attempt's row before anything is asked of the engine, so that nothing runs unknown.

        ``admitted=False``: a queue of the engine's own decides when it gets its resources (see ``admit_attempt``).
        Raises StateConflict when the job is no longer in ``source``, NotFound, LeaseLost.
        """
        now = utcnow()
        with self.database.write() as session:
            check_lease(session, lease)
            return _begin(session, job_id, source, workers, admitted_at=now if admitted else None)

    def start_warm(
        self, job_id: str, source: JobState, warm: WarmCluster, handle: dict[str, Any], *, lease: Lease | None = None
    ) -> tuple[Job, Attempt]:
        """STARTING on a warm cluster, which is the attempt's from then on, by ``handle``.

        Raises StateConflict when the job is no longer in ``source``, NotFound also when the warm cluster is gone, LeaseLost.
        """
        with self.database.write() as session:
            check_lease(session, lease)
            taken = delete(WarmCluster).where(WarmCluster.id == warm.id, WarmCluster.dropped_at.is_(None))
            if not cast("CursorResult[Any]", session.execute(taken)).rowcount:
                raise NotFound(f"warm cluster {warm.id} is gone")
            return _begin(session, job_id, source, warm.workers, admitted_at=utcnow(), handle=handle, warm=True)

    def carry_on(
        self,
        job: Job,
        attempt: Attempt,
        handle: dict[str, Any],
        *,
        reason: str | None,
        failure_kind: str | None,
        failed_rank: int | None,
        tail: list[str],
        lease: Lease | None = None,
    ) -> tuple[Job, Attempt]:
        """Record the latest attempt as failed, and make the next one on the same engine job, by ``handle``; both or neither.

        Raises StateConflict, NotFound, LeaseLost.
        """
        now = utcnow()
        with self.database.write() as session:
            check_lease(session, lease)
            how = {"outcome": "failed", "reason": reason, "failure_kind": failure_kind, "failed_rank": failed_rank, "tail": tail}
            # Nothing of it is left to clean up: the engine's job is the next attempt's now.
            _set(session, job.id, attempt.number, **how, finished_at=now, cleaned_at=now)
            move_job(session, job.id, job.state, JobState.RETRYING, reason)
            return _begin(session, job.id, JobState.RETRYING, attempt.workers, admitted_at=now, handle=handle)

    def admit_attempt(self, attempt: Attempt, *, lease: Lease | None = None) -> None:
        """The engine's queue has let it go: its time counts from now. Raises NotFound, LeaseLost."""
        now = utcnow()
        with self.database.write() as session:
            check_lease(session, lease)
            job = find_job(session, attempt.job_id, lock=True)
            first = update(Attempt).where(Attempt.job_id == attempt.job_id, Attempt.number == attempt.number, Attempt.admitted_at.is_(None))
            if cast("CursorResult[Any]", session.execute(first.values(admitted_at=now))).rowcount:
                append_event(session, job, "stage", "admitted", {"workers": attempt.workers}, now)
        attempt.admitted_at = now

    def update_attempt(self, job_id: str, number: int, *, lease: Lease | None = None, **columns: Any) -> None:
        """Set columns of one attempt; nothing happens when it is gone."""
        with self.database.write() as session:
            check_lease(session, lease)
            _set(session, job_id, number, **columns)

    def finish_attempt(
        self,
        job: Job,
        target: JobState,
        *,
        outcome: str,
        reason: str | None,
        failure_kind: str | None = None,
        failed_rank: int | None = None,
        tail: list[str] | None = None,
        lease: Lease | None = None,
        **job_columns: Any,
    ) -> Job:
        """End the job's latest attempt and move the job on, both or neither. Raises StateConflict, NotFound, LeaseLost."""
        now = utcnow()
        with self.database.write() as session:
            check_lease(session, lease)
            how = {"outcome": outcome, "reason": reason, "failure_kind": failure_kind, "failed_rank": failed_rank, "tail": tail or []}
            _set(session, job.id, job.attempt, **how, finished_at=now)
            if job.started_at is None:
                job_columns["started_at"] = now
            return move_job(session, job.id, job.state, target, None if outcome == "succeeded" else reason, **job_columns)

    def list_attempts(self, job_id: str) -> list[Attempt]:
        """Every attempt of the job, first to last; raises NotFound when there is no such job."""
        with self.database.read() as session:
            find_job(session, job_id)
            return list(session.scalars(select(Attempt).where(Attempt.job_id == job_id).order_by(Attempt.number)))

    def failed_attempts(self, job: Job, *, before: int) -> list[Attempt]:
        """Its failed attempts with a lower number than ``before``, since a user last retried it."""
        counted = Attempt.number > job.attempts_before_retry, Attempt.number < before, Attempt.outcome == "failed"
        with self.database.read() as session:
            return list(session.scalars(select(Attempt).where(Attempt.job_id == job.id, *counted).order_by(Attempt.number)))

    def get_attempt(self, job_id: str, number: int) -> Attempt | None:
        """One attempt, or None."""
        with self.database.read() as session:
            return session.get(Attempt, (job_id, number))

    def uncleaned_attempts(self) -> list[tuple[Job, Attempt]]:
        """Every attempt of which something may still run, with its job, oldest job first.

        The jobs are without what they run (``spec``, ``parameters``).
        """
        statement = (
            select(Job, Attempt).options(*WITHOUT_CONTENT).join(Attempt, Attempt.job_id == Job.id).where(Attempt.cleaned_at.is_(None))
        )
        with self.database.read() as session:
            return [(job, attempt) for job, attempt in session.execute(statement.order_by(Job.created_at, Job.id, Attempt.number))]

    def known_submissions(self) -> set[str]:
        """The submission ids of every attempt of which something may still run; of two, where one goes on in another's place."""
        statement = select(Attempt.submission_id, Attempt.handle).where(Attempt.cleaned_at.is_(None))
        with self.database.read() as session:
            return {name for own, handle in session.execute(statement) for name in (own, (handle or {}).get("submission_id", own))}

    def list_events(self, job_id: str, *, after: int = 0, limit: int = 1000) -> list[Event]:
        """Timeline entries with an id above ``after``, in order; raises NotFound."""
        with self.database.read() as session:
            find_job(session, job_id)
            return list(session.scalars(select(Event).where(Event.job_id == job_id, Event.id > after).order_by(Event.id).limit(limit)))

    def add_trainer_events(self, job_id: str, attempt: int, events: list[TrainerEvent], *, lease: Lease | None = None) -> None:
        """Take over what the trainer wrote; entries that are here already are left alone. Raises NotFound, LeaseLost."""
        if not events:
            return
        rows = [{"job_id": job_id, "attempt": attempt, **vars(event)} for event in events]
        insert = postgresql.insert if self.database.dialect == "postgresql" else sqlite.insert
        with self.database.write() as session:
            check_lease(session, lease)
            find_job(session, job_id, lock=True)
            session.execute(insert(Event).on_conflict_do_nothing(index_elements=["job_id", "attempt", "seq"]), rows)


def _set(session: Session, job_id: str, number: int, **columns: Any) -> None:
    session.execute(update(Attempt).where(Attempt.job_id == job_id, Attempt.number == number).values(**columns))


def _begin(
    session: Session,
    job_id: str,
    source: JobState,
    workers: int,
    *,
    admitted_at: datetime | None,
    handle: dict[str, Any] | None = None,
    warm: bool = False,
) -> tuple[Job, Attempt]:
    """Move the job to STARTING with its next attempt's row."""
    now = utcnow()
    job = move_job(session, job_id, source, JobState.STARTING, not_before=None)
    job.attempt += 1
    attempt = Attempt(
        job_id=job_id,
        number=job.attempt,
        submission_id=f"ty-{job_id}-{job.attempt}",
        workers=workers,
        created_at=now,
        admitted_at=admitted_at,
        handle=handle,
    )
    session.add(attempt)
    if admitted_at is not None:
        append_event(session, job, "stage", "admitted", {"workers": workers} | ({"warm": True} if warm else {}), admitted_at)
    session.flush()
    return job, attempt
