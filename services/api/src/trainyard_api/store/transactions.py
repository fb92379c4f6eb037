"""What happens inside the store's transactions: finding a job, moving it through its states, appending to its timeline."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, update
from sqlalchemy.orm import Session

from trainyard_api.store.database import Database
from trainyard_api.store.errors import NotFound, StateConflict
from trainyard_api.store.models import Event, Job, utcnow
from trainyard_api.store.states import TERMINAL, JobState, may_go


class Records:
    """Rows of one database; each public method of a subclass is one transaction."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self.database = database


def find_job(session: Session, job_id: str, *, lock: bool = False) -> Job:
    """The job, with ``lock`` held against other writers until the transaction ends. Raises NotFound."""
    job = session.get(Job, job_id, with_for_update=lock) if "\0" not in job_id else None
    if job is None:
        raise NotFound(f"no job with id {job_id}")
    return job


def move_job(session: Session, job_id: str, source: JobState, target: JobState, reason: str | None = None, **columns: Any) -> Job:
    """Take one step of the state machine if the job still is in ``source``, and write it down in the timeline.

    Raises StateConflict when the step is not allowed or somebody was first, NotFound when there is no such job.
    """
    if not may_go(source, target):
        raise StateConflict(job_id, source, target)
    now = utcnow()
    if target in TERMINAL:
        columns.setdefault("finished_at", now)
    statement = update(Job).where(Job.id == job_id, Job.state_name == source.value)
    result = cast(
        "CursorResult[Any]",
        session.execute(
            statement.values(state_name=target.value, reason=reason, **columns), execution_options={"synchronize_session": False}
        ),
    )
    session.expire_all()
    job = find_job(session, job_id)
    if result.rowcount != 1:
        raise StateConflict(job_id, job.state, target)
    detail = {"from": source.value, "reason": reason} if reason else {"from": source.value}
    append_event(session, job, "state", target.value, detail, now)
    if target in TERMINAL:
        append_event(session, job, "stage", "finished", {}, now)
    session.flush()
    return job


def append_event(session: Session, job: Job, kind: str, name: str, detail: dict[str, Any], time: datetime) -> None:
    """Add one entry of the platform's own to the job's timeline; the caller holds the job's row.

    Readers follow a timeline by ids, so ids must become visible in order: whoever adds to a timeline locks its job first.
    """
    session.add(Event(job_id=job.id, attempt=job.attempt, seq=None, time=time, kind=kind, name=name, detail=detail))
