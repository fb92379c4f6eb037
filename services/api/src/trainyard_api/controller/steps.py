"""One round: every attempt and every waiting job gets the one step that is due."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from trainyard_api.controller.attempt_objects import (
    AttemptResult,
    EventReader,
    Heartbeats,
    clean,
    log_tail,
    next_key,
)
from trainyard_api.controller.growth import Growth
from trainyard_api.controller.orphans import Orphans
from trainyard_api.controller.patience import Patience
from trainyard_api.controller.placement import FreeCapacity
from trainyard_api.controller.readings import Readings
from trainyard_api.controller.starts import Starts
from trainyard_api.controller.term import Term
from trainyard_api.controller.verdicts import Verdict, stop_due, verdict
from trainyard_api.controller.waiting_drivers import WaitingDrivers
from trainyard_api.controller.warm_pools import WarmPools
from trainyard_api.engines.base import Capacity, Engine, EngineStatus, EngineUnavailable, Phase
from trainyard_api.failures import FailureKind
from trainyard_api.objects.base import ObjectStore, ObjectStoreError
from trainyard_api.settings import Settings
from trainyard_api.store.errors import LeaseLost, NotFound, StateConflict
from trainyard_api.store.models import Attempt, Job, utcnow
from trainyard_api.store.repository import Repository, TrainerEvent
from trainyard_api.store.states import JobState
from trainyard_api.teams import Teams

log = logging.getLogger(__name__)

_RUNNING_STAGES = {"train_function_entered", "process_group_formed", "first_step"}


class Steps:
    """Everything the leader does with the engine, for one term."""

    def __init__(
        self,
        settings: Settings,
        repository: Repository,
        objects: ObjectStore,
        engine: Engine,
        teams: Teams,
        term: Term,
        patience: Patience,
    ) -> None:
        self._settings, self._repository, self._objects, self._engine = settings, repository, objects, engine
        self._teams = teams
        self._term, self._lease, self._patience = term, term.lease, patience
        self._events = EventReader(objects)
        self._heartbeats = Heartbeats(objects, interval=patience.heartbeat, longest=patience.unseen)
        self._readings = Readings(objects, self._events, self._heartbeats)
        self._capacity: Capacity | None = None
        self._capacity_at = 0.0
        self._result_seen: dict[tuple[str, int], float] = {}
        self._stop_asked: dict[str, float] = {}
        self._complaints: dict[str, str] = {}
        #: What the engine last said of each attempt, by submission id.
        self._statuses: dict[str, EngineStatus] = {}
        self._growth = Growth(engine, settings.growth_seconds)
        self._warm = WarmPools(settings, repository, objects, engine, teams, self._lease, patience)
        self._orphans = Orphans(engine, patience)
        self._drivers = WaitingDrivers(objects)
        self._starts = Starts(settings, repository, objects, engine, teams, self._lease, patience, self._warm, self._growth, self._drivers)

    def round(self) -> None:
        """Go once round everything. Raises LeaseLost and SQLAlchemyError; whatever one job meets does not stop the others."""
        self._go_round_attempts()
        if self._capacity is not None:
            self._starts.place(self._capacity, self._statuses, self._guarded)
        self._orphans.look(self._known_submissions, self._guarded)

    def _go_round_attempts(self) -> None:
        """Follow each one; with thousands their list is large, so it is gone before what comes next reads its own."""
        placed = self._repository.uncleaned_attempts()
        self._warm.look(self._guarded)
        self._refresh_capacity(placed)
        with self._readings.begun((attempt, self._runs(attempt)) for _, attempt in placed if _may_have_left_something(attempt)):
            for job, attempt in placed:
                if attempt.finished_at is None:
                    self._guarded(job.id, lambda job=job, attempt=attempt: self._follow(job, attempt))  # type: ignore[misc]
                else:
                    self._guarded(job.id, lambda attempt=attempt: self._clean_up(attempt))  # type: ignore[misc]

    def _runs(self, attempt: Attempt) -> bool:
        """Whether its driver was at work when the engine was last asked, and is to be."""
        status = self._statuses.get(attempt.submission_id)
        return status is not None and status.phase is Phase.RUNNING and attempt.stop_requested_at is None

    def _known_submissions(self) -> set[str]:
        """Of all that may still run: attempts and warm clusters."""
        return {*self._repository.known_submissions(), *(cluster.submission_id for cluster in self._repository.warm_clusters())}

    def _guarded(self, job_id: str, step: Callable[[], None]) -> None:
        self._term.keep()
        try:
            step()
            self._complaints.pop(job_id, None)
        except (EngineUnavailable, ObjectStoreError) as error:
            self._complain(job_id, f"job {job_id} waits: {error}")
        except (StateConflict, NotFound) as error:
            log.info("job %s moved meanwhile: %s", job_id, error)
        except (LeaseLost, SQLAlchemyError):
            raise
        except Exception as error:  # the boundary between jobs: a surprise with one must not hold up the others
            if self._complain(job_id, f"job {job_id}: {type(error).__name__}: {error}"):
                log.exception("job %s", job_id)

    def _complain(self, topic: str, problem: str) -> bool:
        """Say it once; whether it was news."""
        news = self._complaints.get(topic) != problem
        if news:
            log.warning("%s", problem)
        self._complaints[topic] = problem
        return news

    def _refresh_capacity(self, placed: list[tuple[Job, Attempt]]) -> None:
        if self._capacity is not None and time.monotonic() - self._capacity_at < self._patience.capacity:
            return
        try:
            self._capacity = self._engine.capacity()
        except EngineUnavailable as error:
            self._complain("capacity", str(error))
            self._capacity = None
            return
        self._complaints.pop("capacity", None)
        self._capacity_at = time.monotonic()
        # What warm clusters hold is free to whoever submits: they leave for it.
        free = FreeCapacity.of(self._capacity, placed)
        detail = {**self._capacity.as_dict(), **free.as_dict(), "warm_clusters": self._warm.as_list()}
        self._repository.save_capacity(self._engine.name, detail, lease=self._lease)

    # --- following --------------------------------------------------------------------------------------------------

    def _follow(self, job: Job, attempt: Attempt) -> None:
        due = stop_due(job, attempt, utcnow())
        if due is not None and attempt.stop_requested_at is None:
            self._request_stop(attempt, due)
        if attempt.handle is None and attempt.stop_requested_at is None:
            self._term.check()  # whoever took over may have submitted it, and it may have ended and be gone
            self._starts.submit(self._repository.get_job(job.id), attempt)
            return
        if job.state is JobState.STARTING and self._drivers.waits_for(attempt):
            self._drivers.tell(self._repository.get_job(job.id), attempt)
        given_up = attempt.stop_requested_at is not None and utcnow() - attempt.stop_requested_at > timedelta(seconds=self._patience.stop)
        try:
            status = self._engine.describe(_handle(attempt))
            if attempt.stop_requested_at is not None and not status.phase.ended:
                self._ask_to_stop(attempt)
        except EngineUnavailable as error:
            if not given_up:
                raise
            status = EngineStatus(Phase.RUNNING, str(error))
        self._statuses[attempt.submission_id] = status
        if attempt.admitted_at is None and status.phase not in (Phase.QUEUED, Phase.MISSING):
            self._repository.admit_attempt(attempt, lease=self._lease)
        if attempt.admitted_at is None and attempt.stop_requested_at is None and not status.phase.ended:
            self._starts.explain(job, status)  # nothing of it has run that could have left anything to read
            return
        ends = status.phase.ended or given_up
        reading = self._readings.take(attempt, anew=ends)  # what it said last may have come after the round began
        job, result = self._take_events(job, attempt, reading.events), reading.result
        self._starts.explain(job, status)
        if ends:
            self._end(job, attempt, status, result)
        elif result is not None:
            if attempt.stop_requested_at is not None or (result.stands_by and self._carry_on(job, attempt, status, result)):
                return
            if self._lingers(attempt):
                self._request_stop(attempt, None)
        elif status.doomed and attempt.stop_requested_at is None:
            self._request_stop(attempt, clean(status.message or "the engine gave it up"), status.kind)
        elif status.phase is Phase.RUNNING and attempt.stop_requested_at is None:
            timeout = self._settings.heartbeat_timeout_seconds
            if reading.silent_seconds > timeout:
                self._request_stop(attempt, f"the driver has not been heard of for {timeout:g} s", FailureKind.INFRASTRUCTURE)

    def _request_stop(self, attempt: Attempt, reason: str | None, kind: FailureKind | None = None, *, resize_to: int | None = None) -> None:
        """Write down why and since when, so that a new leader goes on from there; the engine is asked now, and from then on."""
        columns = {"stop_requested_at": utcnow(), "stop_reason": reason, "failure_kind": kind, "resize_to": resize_to}
        for name, value in columns.items():
            setattr(attempt, name, value)
        self._update(attempt, **columns)
        self._ask_to_stop(attempt)

    def _ask_to_stop(self, attempt: Attempt) -> None:
        now = time.monotonic()
        if now - self._stop_asked.get(attempt.submission_id, float("-inf")) >= self._patience.stop_again:
            self._engine.stop(_handle(attempt))
            self._stop_asked[attempt.submission_id] = now

    def _take_events(self, job: Job, attempt: Attempt, events: dict[str, TrainerEvent]) -> Job:
        self._repository.add_trainer_events(job.id, attempt.number, list(events.values()), lease=self._lease)
        entered = any(event.kind == "stage" and event.name in _RUNNING_STAGES for event in events.values())
        if entered and job.state is JobState.STARTING:
            started = job.started_at or utcnow()
            job = self._repository.transition(job.id, JobState.STARTING, JobState.RUNNING, lease=self._lease, started_at=started)
        if any(event.kind == "checkpoint" for event in events.values()):
            self._grow(attempt)
        self._events.acknowledge(job.id, attempt.number, events)
        return job

    def _grow(self, attempt: Attempt) -> None:
        """Nothing is lost by a restart now."""
        workers = self._growth.due(attempt)
        if workers is not None and attempt.stop_requested_at is None:
            self._request_stop(attempt, f"goes on with {workers} workers instead of {attempt.workers}", resize_to=workers)

    def _lingers(self, attempt: Attempt) -> bool:
        since = self._result_seen.setdefault((attempt.job_id, attempt.number), time.monotonic())
        return time.monotonic() - since > self._patience.linger

    # --- ending -----------------------------------------------------------------------------------------------------

    def _end(self, job: Job, attempt: Attempt, status: EngineStatus, result: AttemptResult | None) -> None:
        """Record how it ended, then clean up; a crash in between leaves an attempt that the next round cleans up."""
        end = self._verdict(job, attempt, status, result)
        rank, tail = None, list[str]()
        if end.outcome == "failed":
            rank, tail = (result.failed_rank, result.tail) if result is not None else (None, [])
            tail = tail or log_tail(self._objects, job.id, attempt.number) or self._driver_lines(attempt)
        columns: dict[str, Any] = {}
        if end.backoff is not None:
            columns["not_before"] = utcnow() + end.backoff
        if end.outcome == "succeeded" and result is not None and result.model_version:
            columns |= {"model_name": result.model_name, "model_version": result.model_version}
        self._repository.finish_attempt(
            job,
            end.target,
            outcome=end.outcome,
            reason=end.reason,
            failure_kind=end.kind,
            failed_rank=rank,
            tail=tail,
            lease=self._lease,
            **columns,
        )
        log.info("job %s %s%s", job.id, end.target, f": {end.reason}" if end.reason else "")
        attempt.finished_at = utcnow()
        self._clean_up(attempt, status)

    def _verdict(self, job: Job, attempt: Attempt, status: EngineStatus, result: AttemptResult | None) -> Verdict:
        earlier = self._repository.failed_attempts(job, before=attempt.number)
        retries = self._settings.infrastructure_retries
        return verdict(job, attempt, status, result, utcnow(), earlier=earlier, infrastructure_retries=retries)

    def _carry_on(self, job: Job, attempt: Attempt, status: EngineStatus, result: AttemptResult) -> bool:
        """Go on with the next attempt where this one was lost, whose driver stands by, or let the driver end; whether it goes on.

        A place in which training never began is not tried again.
        """
        if self._drivers.is_told_after(attempt):
            return False
        end = self._verdict(job, attempt, status, result)
        again = end.target is JobState.RETRYING and end.kind is FailureKind.INFRASTRUCTURE and job.state is JobState.RUNNING
        whole = bool(job.resources.get("min_workers"))  # an elastic job rather goes on with what there is
        if not (again and self._engine.carries_on(_handle(attempt), whole=whole, deadline_seconds=job.deadline_seconds)):
            self._drivers.dismiss(attempt)
            return False
        job, following = self._repository.carry_on(
            job,
            attempt,
            {**_handle(attempt), "waits_at": next_key(job.id, attempt.number)},
            reason=end.reason,
            failure_kind=end.kind,
            failed_rank=result.failed_rank,
            tail=result.tail or log_tail(self._objects, job.id, attempt.number),
            lease=self._lease,
        )
        log.info("job %s goes on where it is: %s", job.id, end.reason)
        self._forget(attempt)
        self._drivers.tell(job, following)
        return True

    def _driver_lines(self, attempt: Attempt) -> list[str]:
        try:
            return [clean(line) for line in self._engine.last_lines(_handle(attempt))]
        except EngineUnavailable:
            return []

    def _clean_up(self, attempt: Attempt, status: EngineStatus | None = None) -> None:
        """Make sure that nothing of a finished attempt runs any more, and that the engine forgets it."""
        handle = _handle(attempt)
        status = status or self._engine.describe(handle)
        if not status.phase.ended:
            self._ask_to_stop(attempt)
            return
        lost_until = (attempt.finished_at or utcnow()) + timedelta(seconds=self._patience.lost_answer)
        if attempt.handle is None and status.phase is Phase.MISSING and utcnow() < lost_until:
            return
        self._engine.delete(handle)
        if warm := handle.get("warm_cluster"):
            self._objects.delete_prefix(f"jobs/{warm}/")
        self._update(attempt, cleaned_at=utcnow())
        self._forget(attempt)

    def _forget(self, attempt: Attempt) -> None:
        """Nothing more is to be done for it."""
        for memory in (self._events, self._heartbeats):
            memory.forget(attempt.job_id, attempt.number)
        self._drivers.forget(attempt)
        self._result_seen.pop((attempt.job_id, attempt.number), None)
        self._stop_asked.pop(attempt.submission_id, None)
        self._statuses.pop(attempt.submission_id, None)

    def _update(self, attempt: Attempt, **columns: Any) -> None:
        self._repository.update_attempt(attempt.job_id, attempt.number, lease=self._lease, **columns)


def _may_have_left_something(attempt: Attempt) -> bool:
    return attempt.admitted_at is not None and attempt.finished_at is None


def _handle(attempt: Attempt) -> dict[str, Any]:
    """The engine's handle; the submission id alone while the answer to the submission is not known."""
    return attempt.handle or {"submission_id": attempt.submission_id}
