"""Starting: which waiting jobs begin now, on what, and how they are handed over."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from trainyard_api.controller.attempt_objects import clean
from trainyard_api.controller.growth import Growth
from trainyard_api.controller.patience import Patience
from trainyard_api.controller.placement import FreeCapacity, StartGate
from trainyard_api.controller.submissions import submission_of
from trainyard_api.controller.waiting_drivers import WaitingDrivers
from trainyard_api.controller.warm_pools import WarmPools
from trainyard_api.engines.base import Capacity, Engine, EngineStatus, EngineUnavailable, Phase, SubmissionRefused
from trainyard_api.failures import FailureKind
from trainyard_api.objects.base import ObjectStore
from trainyard_api.settings import Settings
from trainyard_api.store.lease import Lease
from trainyard_api.store.models import Attempt, Job, WarmCluster, utcnow
from trainyard_api.store.repository import Repository, WaitingJob
from trainyard_api.store.states import JobState
from trainyard_api.teams import Teams

#: A job that starts at once is given this long to get its MLflow run, which plain mlflow calls of its program go to.
_RUN_IS_MADE = timedelta(seconds=2)

Guard = Callable[[str, Callable[[], None]], None]


class Starts:
    """The part of a term that starts attempts."""

    def __init__(
        self,
        settings: Settings,
        repository: Repository,
        objects: ObjectStore,
        engine: Engine,
        teams: Teams,
        lease: Lease,
        patience: Patience,
        warm: WarmPools,
        growth: Growth,
        drivers: WaitingDrivers,
    ) -> None:
        self._settings, self._repository, self._objects, self._engine, self._teams = settings, repository, objects, engine, teams
        self._lease, self._patience = lease, patience
        self._warm, self._growth, self._drivers = warm, growth, drivers

    def place(self, capacity: Capacity, statuses: Mapping[str, EngineStatus], guarded: Guard) -> None:
        """Start what fits, first come, first served: a small job does not overtake a large one for ever.

        ``statuses`` are what the engine last said of attempts, by submission id; ``guarded`` calls a step for a job and survives what it
        meets. Raises LeaseLost, SQLAlchemyError.
        """
        placed = self._repository.uncleaned_attempts()
        busy = {job.id for job, _ in placed}
        whole, free = FreeCapacity.whole(capacity), self._warm.take_from(FreeCapacity.of(capacity, placed))
        gate = StartGate(self._engine, self._teams, placed, statuses)
        full = waits = False
        self._warm.make_way(placed, statuses)
        begun = time.monotonic()
        for job in self._repository.waiting_jobs():
            if job.id in busy:  # its last attempt has not ended yet; two must never run side by side
                continue
            warm = None if full or gate.is_full(job.team) else self._warm.match(job)
            if warm is not None:
                if job.tracked or utcnow() - job.created_at > _RUN_IS_MADE:
                    gate.started(job.team, job.id, whole=True)
                    guarded(job.id, lambda job=job, warm=warm: self._start_warm(job, warm))  # type: ignore[misc]
                waits = True
                continue
            queued = self._engine.queues(job.team)
            shortage = None if queued else whole.shortage(job.resources)
            held = shortage or gate.holds(job.team)
            if held is None and not queued:
                held = "waits for the jobs that came before it" if full else free.waits_for(job.resources)
                if held is not None and not full and shortage is None:
                    self._warm.make_room(job, free)
                full = full or held is not None  # what is held for another reason must not hold up the others
            if job.reason != held and (shortage or job.state is JobState.QUEUED):  # one that failed goes on saying why
                self._repository.explain_waiting(job.id, held, lease=self._lease)
            if held:
                waits = True
                continue
            workers = int(job.resources.get("workers") or 1) if queued else free.workers_that_fit(job.resources)
            if workers is None:
                continue
            if not queued:
                free.take(job.resources, workers)
            gate.started(job.team, job.id)
            guarded(job.id, lambda job=job, workers=workers: self._start(job, workers))  # type: ignore[misc]
            if time.monotonic() - begun > self._patience.placing:
                waits = True
                break
        if waits:
            self._growth.forget()
        else:
            self._growth.look(placed, free)
            self._warm.fill(placed, free)

    def _start(self, waiting: WaitingJob, workers: int) -> None:
        admitted = not self._engine.queues(waiting.team)
        job, attempt = self._repository.start_attempt(waiting.id, waiting.state, workers, admitted=admitted, lease=self._lease)
        self.submit(job, attempt)

    def _start_warm(self, waiting: WaitingJob, cluster: WarmCluster) -> None:
        started = self._warm.start(waiting, cluster)
        if started is not None:
            self._drivers.tell(*started)

    def submit(self, job: Job, attempt: Attempt) -> None:
        """Hand the attempt to the engine; doing it again after a crash finds the same engine job."""
        try:
            handle = self._engine.submit(
                submission_of(job, attempt, self._settings, object_store_url=self._objects.url, standby_seconds=self._patience.standby)
            )
        except SubmissionRefused as refused:
            reason = clean(refused)
            self._repository.finish_attempt(
                job, JobState.FAILED, outcome="failed", reason=reason, failure_kind=FailureKind.USER, lease=self._lease
            )
            self._repository.update_attempt(job.id, attempt.number, cleaned_at=utcnow(), lease=self._lease)
            return
        except EngineUnavailable as error:
            self.explain(job, EngineStatus(Phase.PENDING, str(error)))
            raise
        self._repository.update_attempt(job.id, attempt.number, handle=handle, lease=self._lease)

    def explain(self, job: Job, status: EngineStatus) -> None:
        """Say on the job why it does not run yet, as the engine sees it."""
        reason = clean(status.message) if status.message else None
        if job.state is JobState.STARTING and not status.phase.ended and not status.doomed and job.reason != reason:
            self._repository.explain_waiting(job.id, reason, lease=self._lease)
