"""The one place that reads and writes jobs: every change of state is a guarded update that also appends to the timeline."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from trainyard_api.store.database import Database
from trainyard_api.store.errors import InUse, KeyReused, NotFound, StateConflict
from trainyard_api.store.lease import Lease, check_lease
from trainyard_api.store.models import (
    Attempt,
    CapacityRow,
    Event,
    IdempotencyKey,
    Job,
    Upload,
    utcnow,
)
from trainyard_api.store.paging import JobPage, JobQuery, page_of_jobs
from trainyard_api.store.states import ACTIVE, TERMINAL, JobState, may_go


@dataclass(frozen=True)
class NewJob:
    """What a submission asks for, already validated and rendered."""

    id: str
    name: str
    template: str
    parameters: dict[str, Any]
    tags: dict[str, str]
    spec: dict[str, Any]
    resources: dict[str, Any]
    code: str | None = None
    data: str | None = None
    retries: int = 0
    deadline_seconds: int | None = None


@dataclass(frozen=True)
class TrainerEvent:
    """One event object that the trainer wrote."""

    seq: int
    time: datetime
    kind: str
    name: str
    detail: dict[str, Any]


class Repository:
    """Jobs, attempts, events, uploads and the capacity row. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self.database = database

    # --- jobs -------------------------------------------------------------------------------------------------------

    def create_job(self, new: NewJob, *, key: str | None = None, fingerprint: str = "") -> tuple[Job, bool]:
        """Store the job as QUEUED; with a key that was used before for the same body, the job it made.

        Returns the job and whether it is new. Raises KeyReused when the key came with another body.
        """
        now = utcnow()
        with self.database.write() as session:
            if key is not None:
                if self.database.dialect == "postgresql":
                    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
                known = session.get(IdempotencyKey, key)
                if known is not None:
                    if known.fingerprint != fingerprint:
                        raise KeyReused("this Idempotency-Key was used before with another body")
                    return self._job(session, known.job_id), False
            job = Job(
                **vars(new),
                state_name=JobState.QUEUED.value,
                attempt=0,
                attempts_before_retry=0,
                created_at=now,
            )
            session.add(job)
            session.flush()
            if key is not None:
                session.add(IdempotencyKey(key=key, fingerprint=fingerprint, job_id=new.id, created_at=now))
            self._event(session, new.id, 0, "stage", "accepted", {}, now)
            return job, True

    def get_job(self, job_id: str) -> Job:
        """The job; raises NotFound."""
        with self.database.read() as session:
            return self._job(session, job_id)

    def list_jobs(self, query: JobQuery) -> JobPage:
        """One page of jobs in a stable order (see ``paging``)."""
        with self.database.read() as session:
            return page_of_jobs(session, query)

    def count_by_state(self) -> dict[JobState, int]:
        """How many jobs are in each state, zeros included."""
        with self.database.read() as session:
            rows = session.execute(select(Job.state_name, func.count()).group_by(Job.state_name)).all()
        found = {JobState(name): count for name, count in rows}
        return {state: found.get(state, 0) for state in JobState}

    def unsettled_jobs(self) -> list[Job]:
        """Every job the controller still has work with, oldest first."""
        names = [state.value for state in ACTIVE]
        with self.database.read() as session:
            statement = select(Job).where(Job.state_name.in_(names) | Job.settled_at.is_(None)).order_by(Job.created_at, Job.id)
            return list(session.scalars(statement))

    def transition(
        self,
        job_id: str,
        source: JobState,
        target: JobState,
        *,
        reason: str | None = None,
        lease: Lease | None = None,
        **columns: Any,
    ) -> Job:
        """Move the job from ``source`` to ``target`` if it still is in ``source``; append the step to the timeline.

        Raises StateConflict when the step is not allowed or somebody was first, LeaseLost when the caller no longer leads.
        """
        with self.database.write() as session:
            check_lease(session, lease)
            return self._transition(session, job_id, source, target, reason, columns)

    def update_job(self, job_id: str, *, lease: Lease | None = None, **columns: Any) -> None:
        """Set columns that are not part of the state machine."""
        with self.database.write() as session:
            check_lease(session, lease)
            session.execute(update(Job).where(Job.id == job_id).values(**columns))

    def request_cancel(self, job_id: str) -> Job:
        """Cancel at once what has not started; ask the controller to stop what has. Raises StateConflict on a finished job."""
        with self.database.write() as session:
            job = self._job(session, job_id, lock=True)
            if job.state in TERMINAL:
                raise StateConflict(
                    job_id,
                    job.state,
                    JobState.CANCELLED,
                    f"job {job_id} is already {job.state}",
                )
            if job.state in (JobState.QUEUED, JobState.RETRYING):
                return self._transition(
                    session,
                    job_id,
                    job.state,
                    JobState.CANCELLED,
                    "cancelled before it started",
                    {},
                )
            if job.cancel_requested_at is None:
                job.cancel_requested_at = utcnow()
                self._event(
                    session,
                    job_id,
                    job.attempt,
                    "state",
                    "cancel requested",
                    {},
                    job.cancel_requested_at,
                )
            session.flush()
            return job

    def request_retry(self, job_id: str) -> Job:
        """A failed or cancelled job goes back in the queue with a fresh retry budget. Raises StateConflict otherwise."""
        with self.database.write() as session:
            job = self._job(session, job_id, lock=True)
            if job.state not in (JobState.FAILED, JobState.CANCELLED):
                raise StateConflict(
                    job_id,
                    job.state,
                    JobState.RETRYING,
                    f"job {job_id} is {job.state}; only FAILED and CANCELLED jobs can be retried",
                )
            columns = {
                "finished_at": None,
                "cancel_requested_at": None,
                "not_before": None,
                "settled_at": None,
                "attempts_before_retry": job.attempt,
            }
            return self._transition(
                session,
                job_id,
                job.state,
                JobState.RETRYING,
                "retried by a user",
                columns,
            )

    def delete_job(self, job_id: str) -> None:
        """Remove a finished job with its attempts and events. Raises InUse while it is active or not yet settled."""
        with self.database.write() as session:
            job = self._job(session, job_id, lock=True)
            if job.state in ACTIVE:
                raise InUse(f"job {job_id} is {job.state}; cancel it first")
            if job.settled_at is None:
                raise InUse(f"job {job_id} is still being cleaned up; try again in a few seconds")
            session.execute(delete(Job).where(Job.id == job_id))

    # --- attempts and events ----------------------------------------------------------------------------------------

    def start_attempt(self, job_id: str, source: JobState, *, lease: Lease | None = None) -> Attempt:
        """STARTING: make the next attempt's row before anything is asked of the engine, so that nothing runs unknown."""
        now = utcnow()
        with self.database.write() as session:
            check_lease(session, lease)
            job = self._transition(session, job_id, source, JobState.STARTING, None, {"not_before": None})
            job.attempt += 1
            attempt = Attempt(
                job_id=job_id,
                number=job.attempt,
                submission_id=f"ty-{job_id}-{job.attempt}",
                created_at=now,
                last_seq=0,
            )
            session.add(attempt)
            self._event(session, job_id, job.attempt, "stage", "admitted", {}, now)
            session.flush()
            return attempt

    def update_attempt(self, job_id: str, number: int, *, lease: Lease | None = None, **columns: Any) -> None:
        """Set columns of one attempt."""
        with self.database.write() as session:
            check_lease(session, lease)
            session.execute(update(Attempt).where(Attempt.job_id == job_id, Attempt.number == number).values(**columns))

    def list_attempts(self, job_id: str) -> list[Attempt]:
        """Every attempt of the job, first to last; raises NotFound when there is no such job."""
        with self.database.read() as session:
            self._job(session, job_id)
            return list(session.scalars(select(Attempt).where(Attempt.job_id == job_id).order_by(Attempt.number)))

    def get_attempt(self, job_id: str, number: int) -> Attempt | None:
        """One attempt, or None."""
        with self.database.read() as session:
            return session.get(Attempt, (job_id, number))

    def list_events(self, job_id: str, *, after: int = 0, limit: int = 1000) -> list[Event]:
        """Timeline entries with an id above ``after``, in order; raises NotFound."""
        with self.database.read() as session:
            self._job(session, job_id)
            statement = select(Event).where(Event.job_id == job_id, Event.id > after).order_by(Event.id).limit(limit)
            return list(session.scalars(statement))

    def add_event(
        self,
        job_id: str,
        attempt: int,
        kind: str,
        name: str,
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Append one entry to the timeline."""
        with self.database.write() as session:
            self._event(session, job_id, attempt, kind, name, detail or {}, utcnow())

    def add_trainer_events(
        self,
        job_id: str,
        attempt: int,
        events: list[TrainerEvent],
        *,
        lease: Lease | None = None,
    ) -> None:
        """Take over what the trainer wrote; entries that are here already are left alone."""
        if not events:
            return
        rows = [{"job_id": job_id, "attempt": attempt, **vars(event)} for event in events]
        with self.database.write() as session:
            check_lease(session, lease)
            insert = postgresql.insert if self.database.dialect == "postgresql" else sqlite.insert
            session.execute(insert(Event).values(rows).on_conflict_do_nothing(index_elements=["job_id", "attempt", "seq"]))
            top = max(event.seq for event in events)
            where = (
                Attempt.job_id == job_id,
                Attempt.number == attempt,
                Attempt.last_seq < top,
            )
            session.execute(update(Attempt).where(*where).values(last_seq=top))

    # --- uploads ----------------------------------------------------------------------------------------------------

    def add_upload(self, upload: Upload) -> Upload:
        """Remember an upload; the same bytes again give the row that is there."""
        with self.database.write() as session:
            known = session.get(Upload, (upload.kind, upload.id))
            if known is not None:
                return known
            session.add(upload)
            session.flush()
            return upload

    def get_upload(self, kind: str, upload_id: str) -> Upload:
        """One upload; raises NotFound."""
        with self.database.read() as session:
            found = session.get(Upload, (kind, upload_id))
        if found is None:
            raise NotFound(f"no {kind} with id {upload_id}")
        return found

    def list_uploads(self, kind: str) -> list[Upload]:
        """Uploads of one kind, newest first, at most 1,000."""
        with self.database.read() as session:
            statement = select(Upload).where(Upload.kind == kind).order_by(Upload.created_at.desc(), Upload.id).limit(1000)
            return list(session.scalars(statement))

    # --- capacity ---------------------------------------------------------------------------------------------------

    def save_capacity(self, engine: str, detail: dict[str, Any], *, lease: Lease | None = None) -> None:
        """Overwrite what the engine has and has free."""
        with self.database.write() as session:
            check_lease(session, lease)
            session.merge(CapacityRow(id=1, engine=engine, detail=detail, recorded_at=utcnow()))

    def get_capacity(self) -> CapacityRow | None:
        """The latest capacity, None before the controller's first round."""
        with self.database.read() as session:
            return session.get(CapacityRow, 1)

    # --- inside one transaction -------------------------------------------------------------------------------------

    def _job(self, session: Session, job_id: str, *, lock: bool = False) -> Job:
        job = session.get(Job, job_id, with_for_update=lock)
        if job is None:
            raise NotFound(f"no job with id {job_id}")
        return job

    def _transition(
        self,
        session: Session,
        job_id: str,
        source: JobState,
        target: JobState,
        reason: str | None,
        columns: dict[str, Any],
    ) -> Job:
        now = utcnow()
        if not may_go(source, target):
            raise StateConflict(job_id, source, target)
        values: dict[str, Any] = {
            "state_name": target.value,
            "reason": reason,
            **columns,
        }
        if target in TERMINAL:
            values.setdefault("finished_at", now)
        statement = update(Job).where(Job.id == job_id, Job.state_name == source.value).values(**values)
        result = cast(
            "CursorResult[Any]",
            session.execute(statement, execution_options={"synchronize_session": False}),
        )
        session.expire_all()
        job = self._job(session, job_id)
        if result.rowcount != 1:
            raise StateConflict(job_id, job.state, target)
        detail = {"from": source.value, "reason": reason} if reason else {"from": source.value}
        self._event(session, job_id, job.attempt, "state", target.value, detail, now)
        if target in TERMINAL:
            self._event(session, job_id, job.attempt, "stage", "finished", {}, now)
        session.flush()
        return job

    @staticmethod
    def _event(
        session: Session,
        job_id: str,
        attempt: int,
        kind: str,
        name: str,
        detail: dict[str, Any],
        time: datetime,
    ) -> None:
        session.add(
            Event(
                job_id=job_id,
                attempt=attempt,
                seq=None,
                time=time,
                kind=kind,
                name=name,
                detail=detail,
            )
        )


def backoff(attempts: int, *, base_seconds: float = 2.0, limit_seconds: float = 60.0) -> timedelta:
    """How long to wait before the next attempt: doubling, bounded."""
    return timedelta(seconds=min(limit_seconds, base_seconds * 2 ** max(0, attempts - 1)))
