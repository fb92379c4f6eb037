"""Jobs: accepting, listing, and what users and the controller do to them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from trainyard_api.store.errors import InUse, KeyReused, StateConflict
from trainyard_api.store.lease import Lease, check_lease
from trainyard_api.store.models import WITHOUT_CONTENT, Attempt, Event, IdempotencyKey, Job, JobTag, utcnow
from trainyard_api.store.paging import JobPage, JobQuery, page_of_jobs
from trainyard_api.store.states import ACTIVE, TERMINAL, JobState
from trainyard_api.store.transactions import Records, append_event, find_job, move_job


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
    team: str = "default"
    code: str | None = None
    data: str | None = None
    image: str | None = None
    retries: int = 0
    deadline_seconds: int | None = None
    resume_job: str | None = None
    resume_step: int | None = None
    checkpoints: dict[str, Any] | None = None


@dataclass(frozen=True)
class WaitingJob:
    """The little that the controller must know of a job to place it."""

    id: str
    team: str
    state: JobState
    resources: dict[str, Any]
    reason: str | None
    image: str | None
    deadline_seconds: int | None
    #: Whether it has its MLflow run already.
    tracked: bool
    created_at: datetime


class Jobs(Records):
    """The jobs table with its tags and idempotency keys."""

    def create_job(self, new: NewJob, *, key: str | None = None, fingerprint: str = "") -> tuple[Job, bool]:
        """Store the job as QUEUED; with a key that was used before for the same body, the job it made.

        Returns the job and whether it is new. Raises KeyReused when the key came with another body, and NotFound when the job that
        it is to resume from is gone.
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
                    return find_job(session, known.job_id), False
            if new.resume_job is not None:
                find_job(session, new.resume_job, lock=True)  # held, so that it cannot be deleted before this job is there
            row = {**vars(new), "state_name": JobState.QUEUED.value, "attempt": 0, "attempts_before_retry": 0, "created_at": now}
            accepted = {"job_id": new.id, "attempt": 0, "time": now, "kind": "stage", "name": "accepted", "detail": {}}
            # Plain inserts: SQLAlchemy's unit of work costs as much as everything else of a submission.
            session.execute(insert(Job), [row])
            if new.tags:
                session.execute(insert(JobTag), [{"job_id": new.id, "key": tag, "value": value} for tag, value in new.tags.items()])
            if key is not None:
                given = {"key": key, "fingerprint": fingerprint, "job_id": new.id, "created_at": now}
                session.execute(insert(IdempotencyKey), [given])
            session.execute(insert(Event), [accepted])
        return Job(**row), True

    def job_of_key(self, key: str, fingerprint: str) -> Job | None:
        """The job that this key made before, or None. Raises KeyReused when it came with another body."""
        with self.database.read() as session:
            known = session.get(IdempotencyKey, key)
            if known is not None and known.fingerprint != fingerprint:
                raise KeyReused("this Idempotency-Key was used before with another body")
            return None if known is None else session.get(Job, known.job_id)

    def get_job(self, job_id: str) -> Job:
        """The job; raises NotFound."""
        with self.database.read() as session:
            return find_job(session, job_id)

    def get_jobs(self, ids: Collection[str]) -> list[Job]:
        """Those of these jobs that exist, in no order."""
        with self.database.read() as session:
            return list(session.scalars(select(Job).where(Job.id.in_(ids))))

    def list_jobs(self, query: JobQuery) -> JobPage:
        """One page of jobs in a stable order (see ``paging``). Raises BadCursor."""
        with self.database.read() as session:
            return page_of_jobs(session, query)

    def count_by_state(self) -> dict[JobState, int]:
        """How many jobs are in each state, zeros included."""
        with self.database.read() as session:
            rows = session.execute(select(Job.state_name, func.count()).group_by(Job.state_name)).all()
        found = {JobState(name): count for name, count in rows}
        return {state: found.get(state, 0) for state in JobState}

    def jobs_to_track(self) -> list[Job]:
        """Every job whose MLflow run may lack something, oldest first: the run itself, a retry, its end.

        The jobs are without what they run (``spec``, ``parameters``). One with a run that waits or is at its first attempt lacks nothing.
        """
        moved = Job.state_name.in_([state.value for state in (*TERMINAL, JobState.RETRYING)]) | (Job.attempt > 1)
        statement = select(Job).options(*WITHOUT_CONTENT).where(Job.settled_at.is_(None), Job.mlflow_run_id.is_(None) | moved)
        with self.database.read() as session:
            return list(session.scalars(statement.order_by(Job.created_at, Job.id)))

    def waiting_jobs(self) -> list[WaitingJob]:
        """Every job that may start now, oldest first: queued, or between attempts with its backoff over."""
        waiting = Job.state_name.in_([JobState.QUEUED.value, JobState.RETRYING.value])
        due = Job.not_before.is_(None) | (Job.not_before <= utcnow())
        with self.database.read() as session:
            # An active job is never settled; saying so lets both databases use the small index of unsettled jobs.
            what = Job.id, Job.team, Job.state_name, Job.resources, Job.reason, Job.image, Job.deadline_seconds, Job.mlflow_run_id
            statement = select(*what, Job.created_at)
            statement = statement.where(Job.settled_at.is_(None), waiting, due).order_by(Job.created_at, Job.id)
            rows = session.execute(statement).all()
        return [
            WaitingJob(job_id, team, JobState(state), resources, reason, image, deadline, run_id is not None, created_at)
            for job_id, team, state, resources, reason, image, deadline, run_id, created_at in rows
        ]

    def transition(
        self, job_id: str, source: JobState, target: JobState, *, reason: str | None = None, lease: Lease | None = None, **columns: Any
    ) -> Job:
        """Move the job from ``source`` to ``target`` if it still is in ``source``; append the step to the timeline.

        Raises StateConflict when the step is not allowed or somebody was first, NotFound, and LeaseLost when the caller no longer leads.
        """
        with self.database.write() as session:
            check_lease(session, lease)
            return move_job(session, job_id, source, target, reason, **columns)

    def update_job(self, job_id: str, *, lease: Lease | None = None, **columns: Any) -> None:
        """Set columns that are not part of the state machine; nothing happens when the job is gone."""
        with self.database.write() as session:
            check_lease(session, lease)
            session.execute(update(Job).where(Job.id == job_id).values(**columns))

    def explain_waiting(self, job_id: str, reason: str | None, *, lease: Lease | None = None) -> None:
        """Say why a job does not run yet; nothing happens when it has moved on."""
        waiting = Job.state_name.in_([JobState.QUEUED.value, JobState.RETRYING.value, JobState.STARTING.value])
        with self.database.write() as session:
            check_lease(session, lease)
            session.execute(update(Job).where(Job.id == job_id, waiting).values(reason=reason))

    def settle_job(self, job_id: str, finished_at: datetime | None, *, lease: Lease | None = None) -> None:
        """Note that the MLflow run of a job that finished at this time is closed; not when the job was retried meanwhile."""
        ended = Job.state_name.in_([state.value for state in TERMINAL])
        with self.database.write() as session:
            check_lease(session, lease)
            session.execute(update(Job).where(Job.id == job_id, ended, Job.finished_at == finished_at).values(settled_at=utcnow()))

    def request_cancel(self, job_id: str) -> Job:
        """Cancel at once what has not started; ask the controller to stop what has. Raises StateConflict on a finished job."""
        with self.database.write() as session:
            job = find_job(session, job_id, lock=True)
            if job.state in TERMINAL:
                raise StateConflict(job_id, job.state, JobState.CANCELLED, f"job {job_id} is already {job.state}")
            if job.state in (JobState.QUEUED, JobState.RETRYING):
                return move_job(session, job_id, job.state, JobState.CANCELLED, "cancelled before it started")
            if job.cancel_requested_at is None:
                job.cancel_requested_at = utcnow()
                append_event(session, job, "state", "cancel requested", {}, job.cancel_requested_at)
            session.flush()
            return job

    def request_retry(self, job_id: str) -> Job:
        """A failed or cancelled job goes back in the queue with a fresh retry budget. Raises StateConflict otherwise."""
        with self.database.write() as session:
            job = find_job(session, job_id, lock=True)
            if job.state not in (JobState.FAILED, JobState.CANCELLED):
                detail = f"job {job_id} is {job.state}; only FAILED and CANCELLED jobs can be retried"
                raise StateConflict(job_id, job.state, JobState.RETRYING, detail)
            return move_job(
                session,
                job_id,
                job.state,
                JobState.RETRYING,
                "retried by a user",
                finished_at=None,
                cancel_requested_at=None,
                not_before=None,
                settled_at=None,
                attempts_before_retry=job.attempt,
            )

    def delete_job(self, job_id: str) -> None:
        """Remove a finished job with its attempts and events.

        Raises InUse while something of it is still to be ended or an active job is to resume from it, and NotFound.
        """
        with self.database.write() as session:
            job = find_job(session, job_id, lock=True)
            if job.state in ACTIVE:
                raise InUse(f"job {job_id} is {job.state}; cancel it first")
            running = select(Attempt.number).where(Attempt.job_id == job_id, Attempt.cleaned_at.is_(None)).limit(1)
            if session.scalar(running) is not None:
                raise InUse(f"job {job_id} has ended, but its processes have not yet; try again in a few seconds")
            # An active job is never settled; saying so lets both databases use the small index of unsettled jobs.
            resuming = select(Job.id).where(Job.settled_at.is_(None), Job.state_name.in_([state.value for state in ACTIVE]))
            needed_by = session.scalar(resuming.where(Job.resume_job == job_id).order_by(Job.created_at).limit(1))
            if needed_by is not None:
                raise InUse(f"job {needed_by} resumes from a checkpoint of job {job_id}; delete it when that one has ended")
            if job.settled_at is None:
                raise InUse(f"job {job_id} has ended, but its MLflow run is not closed yet; try again in a few seconds")
            session.execute(delete(Job).where(Job.id == job_id))
