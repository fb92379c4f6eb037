"""One round: every unsettled job gets the one step that is due."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from trainyard_api.controller.attempt_objects import AttemptResult, EventReader, read_result
from trainyard_api.controller.placement import FreeCapacity
from trainyard_api.engines.base import Capacity, Engine, EngineStatus, EngineUnavailable, Phase, Submission, SubmissionRefused
from trainyard_api.objects.base import ObjectStore, ObjectStoreError
from trainyard_api.settings import Settings
from trainyard_api.store.errors import NotFound, StateConflict
from trainyard_api.store.lease import Lease
from trainyard_api.store.models import Attempt, Job, utcnow
from trainyard_api.store.repository import Repository, backoff
from trainyard_api.store.states import TERMINAL, JobState

log = logging.getLogger(__name__)

CAPACITY_SECONDS = 5.0
#: A driver that wrote its result and still has not ended is stopped after this long.
LINGER_SECONDS = 20.0
KEEP_LEASE_SECONDS = 2.0
_RUNNING_STAGES = {"train_function_entered", "process_group_formed", "first_step"}


class Steps:
    """Everything the leader does with the engine."""

    def __init__(self, settings: Settings, repository: Repository, objects: ObjectStore, engine: Engine) -> None:
        self._settings, self._repository, self._objects, self._engine = settings, repository, objects, engine
        self._events = EventReader(objects)
        self._capacity: Capacity | None = None
        self._capacity_at = 0.0
        self._result_seen: dict[tuple[str, int], float] = {}
        self._complaints: dict[str, str] = {}

    def round(self, lease: Lease, *, keep_lease: Callable[[], None] = lambda: None) -> None:
        """Go once round all jobs. Raises LeaseLost; whatever one job meets does not stop the others."""
        jobs = [job for job in self._repository.unsettled_jobs() if job.state not in TERMINAL]
        self._refresh_capacity(lease, jobs)
        kept = time.monotonic()
        for job in jobs:
            if time.monotonic() - kept > KEEP_LEASE_SECONDS:
                keep_lease()
                kept = time.monotonic()
            if job.state in (JobState.STARTING, JobState.RUNNING):
                self._guarded(job, lease, self._follow)
        if self._capacity is None:
            return
        free = FreeCapacity.of(self._capacity, self._repository.unsettled_jobs())
        for job in jobs:
            if job.state not in (JobState.QUEUED, JobState.RETRYING) or (job.not_before and job.not_before > utcnow()):
                continue
            workers = free.workers_that_fit(job.resources)
            if workers is None:
                break  # first come, first served: a small job does not overtake a large one for ever
            free.take(job.resources, workers)
            self._guarded(job, lease, lambda job, lease, workers=workers: self._start(job, lease, workers))  # type: ignore[misc]

    def _guarded(self, job: Job, lease: Lease, step: Callable[[Job, Lease], None]) -> None:
        try:
            step(job, lease)
            self._complaints.pop(job.id, None)
        except (EngineUnavailable, ObjectStoreError) as error:
            if self._complaints.get(job.id) != str(error):
                log.warning("job %s waits: %s", job.id, error)
            self._complaints[job.id] = str(error)
        except (StateConflict, NotFound) as error:
            log.info("job %s moved meanwhile: %s", job.id, error)

    def _refresh_capacity(self, lease: Lease, jobs: list[Job]) -> None:
        if time.monotonic() - self._capacity_at < CAPACITY_SECONDS and self._capacity is not None:
            return
        try:
            self._capacity = self._engine.capacity()
        except EngineUnavailable as error:
            if self._complaints.get("capacity") != str(error):
                log.warning("%s", error)
            self._complaints["capacity"] = str(error)
            self._capacity = None
            return
        self._complaints.pop("capacity", None)
        self._capacity_at = time.monotonic()
        free = FreeCapacity.of(self._capacity, jobs)
        self._repository.save_capacity(self._engine.name, {**self._capacity.as_dict(), **free.as_dict()}, lease=lease)

    # --- starting ---------------------------------------------------------------------------------------------------

    def _start(self, job: Job, lease: Lease, workers: int) -> None:
        attempt = self._repository.start_attempt(job.id, job.state, lease=lease)
        self._repository.update_attempt(job.id, attempt.number, lease=lease, handle={"workers": workers})
        self._submit(self._repository.get_job(job.id), attempt, workers, lease)

    def _submit(self, job: Job, attempt: Attempt, workers: int, lease: Lease) -> None:
        """Hand the attempt to the engine; doing it again after a crash finds the same engine job."""
        environment = {
            "TRAINYARD_JOB_ID": job.id,
            "TRAINYARD_ATTEMPT": str(attempt.number),
            "TRAINYARD_SPEC": json.dumps(job.spec),
            "TRAINYARD_OBJECT_STORE_URL": self._objects.url,
            "TRAINYARD_SPOOL_DIR": str(self._settings.state_dir / "spool"),
            "TRAINYARD_MLFLOW_URL": self._settings.mlflow_url,
            "TRAINYARD_MLFLOW_RUN_ID": job.mlflow_run_id or "",
        }
        submission = Submission(attempt.submission_id, job.id, attempt.number, workers, job.resources, environment)
        try:
            handle = self._engine.submit(submission)
        except SubmissionRefused as refused:
            self._finish_attempt(job, attempt, lease, "failed", AttemptResult(False, str(refused)))
            self._repository.transition(job.id, job.state, JobState.FAILED, reason=str(refused), lease=lease)
            return
        self._repository.update_attempt(job.id, attempt.number, lease=lease, handle={**handle, "workers": workers, "submitted": True})

    # --- following --------------------------------------------------------------------------------------------------

    def _follow(self, job: Job, lease: Lease) -> None:
        attempt = self._repository.get_attempt(job.id, job.attempt)
        if attempt is None:
            return
        handle = attempt.handle or {}
        if not handle.get("submitted"):
            if job.cancel_requested_at is None:
                self._submit(job, attempt, int(handle.get("workers") or job.resources.get("workers", 1)), lease)
                return
            handle = {**handle, "submission_id": attempt.submission_id}
        status = self._engine.describe(handle)
        job = self._take_events(job, attempt, lease)
        result = read_result(self._objects, job.id, attempt.number)
        overdue = self._overdue(job, attempt)
        if not status.phase.ended:
            if job.cancel_requested_at is not None or overdue or self._lingers(job, attempt, result):
                self._engine.stop(handle)
            return
        self._end(job, attempt, handle, status, result, lease, overdue=overdue)

    def _take_events(self, job: Job, attempt: Attempt, lease: Lease) -> Job:
        events = self._events.new_events(job.id, attempt.number)
        self._repository.add_trainer_events(job.id, attempt.number, events, lease=lease)
        if job.state is JobState.STARTING and any(event.kind == "stage" and event.name in _RUNNING_STAGES for event in events):
            started = {} if job.started_at else {"started_at": utcnow()}
            return self._repository.transition(job.id, JobState.STARTING, JobState.RUNNING, lease=lease, **started)
        return job

    def _overdue(self, job: Job, attempt: Attempt) -> bool:
        return job.deadline_seconds is not None and utcnow() > attempt.created_at + timedelta(seconds=job.deadline_seconds)

    def _lingers(self, job: Job, attempt: Attempt, result: AttemptResult | None) -> bool:
        if result is None:
            return False
        since = self._result_seen.setdefault((job.id, attempt.number), time.monotonic())
        return time.monotonic() - since > LINGER_SECONDS

    # --- ending -----------------------------------------------------------------------------------------------------

    def _end(
        self,
        job: Job,
        attempt: Attempt,
        handle: dict[str, Any],
        status: EngineStatus,
        result: AttemptResult | None,
        lease: Lease,
        *,
        overdue: bool,
    ) -> None:
        job = self._take_events(job, attempt, lease)
        result = result or read_result(self._objects, job.id, attempt.number)
        if result is not None and result.succeeded:
            self._finish_attempt(job, attempt, lease, "succeeded", result)
            model = {"model_name": result.model_name, "model_version": result.model_version} if result.model_version else {}
            self._leave(job, JobState.SUCCEEDED, None, lease, **model)
        elif job.cancel_requested_at is not None:
            self._finish_attempt(job, attempt, lease, "cancelled", AttemptResult(False, "cancelled by a user"))
            self._leave(job, JobState.CANCELLED, "cancelled by a user", lease)
        else:
            if overdue and result is None:
                result = AttemptResult(False, f"ran past its deadline of {job.deadline_seconds} s", tail=self._tail(job, attempt, handle))
            elif result is None:
                result = AttemptResult(False, _account(status), tail=self._tail(job, attempt, handle))
            self._finish_attempt(job, attempt, lease, "failed", result)
            used = attempt.number - job.attempts_before_retry
            if used <= job.retries and not overdue:
                self._leave(job, JobState.RETRYING, result.reason, lease, not_before=utcnow() + backoff(used))
            else:
                self._leave(job, JobState.FAILED, result.reason, lease)
        self._events.forget(job.id, attempt.number)
        self._result_seen.pop((job.id, attempt.number), None)
        self._engine.delete(handle)

    def _leave(self, job: Job, target: JobState, reason: str | None, lease: Lease, **columns: Any) -> None:
        if target in TERMINAL and job.started_at is None:
            columns["started_at"] = utcnow()
        self._repository.transition(job.id, job.state, target, reason=reason, lease=lease, **columns)
        log.info("job %s %s%s", job.id, target, f": {reason}" if reason else "")

    def _finish_attempt(self, job: Job, attempt: Attempt, lease: Lease, outcome: str, result: AttemptResult) -> None:
        self._repository.update_attempt(
            job.id,
            attempt.number,
            lease=lease,
            outcome=outcome,
            reason=result.reason,
            failed_rank=result.failed_rank,
            tail=result.tail,
            finished_at=utcnow(),
        )

    def _tail(self, job: Job, attempt: Attempt, handle: dict[str, Any]) -> list[str]:
        """The last lines of the lowest rank that wrote any, or the driver's."""
        for rank in ("rank-0", "rank-driver"):
            keys = [info.key for info in self._objects.list(f"jobs/{job.id}/attempts/{attempt.number}/logs/{rank}/")]
            if keys:
                lines = self._objects.get_bytes(keys[-1]).decode(errors="replace").splitlines()
                return [line[:2000] for line in lines if line.strip()][-20:]
        return [line[:2000] for line in self._engine.last_lines(handle)]


def _account(status: EngineStatus) -> str:
    if status.phase is Phase.STOPPED:
        return "stopped from outside Trainyard"
    return status.message or "the job's driver ended without a result"
