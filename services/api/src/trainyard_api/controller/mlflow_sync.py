"""MLflow beside the jobs: every job gets its run as soon as MLflow answers, all of its metrics, and the end that the job had."""

from __future__ import annotations

import logging
import threading
from typing import Any

from trainyard_api.controller.metric_replay import MetricReplay
from trainyard_api.objects.base import ObjectStore, ObjectStoreError
from trainyard_api.series import KEPT_POINTS, keep_series, load_series
from trainyard_api.settings import Settings
from trainyard_api.store.errors import LeaseLost
from trainyard_api.store.lease import Lease
from trainyard_api.store.models import Job, utcnow
from trainyard_api.store.repository import Repository
from trainyard_api.store.states import TERMINAL, JobState
from trainyard_api.tracking import Tracking, TrackingRefused, TrackingUnavailable

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.3
#: So many points are read from MLflow in a second or two.
_QUICK_POINTS = 100_000
_STATUS = {JobState.SUCCEEDED: "FINISHED", JobState.FAILED: "FAILED", JobState.CANCELLED: "KILLED"}


class MlflowSync:
    """Runs in a thread of its own for one term, so that a slow MLflow never holds up a job."""

    def __init__(self, settings: Settings, repository: Repository, objects: ObjectStore, tracking: Tracking, lease: Lease) -> None:
        self._settings, self._repository, self._objects, self._tracking = settings, repository, objects, tracking
        self._lease = lease
        self._replay = MetricReplay(objects, tracking)
        self._reopened: dict[str, int] = {}
        self._refused: set[str] = set()

    def run(self, ended: threading.Event) -> None:
        """Go round until ``ended``; waits longer while MLflow is away."""
        away = 0
        while not ended.wait(min(5.0, INTERVAL_SECONDS * 2**away)):
            try:
                self.round()
                if away:
                    log.info("MLflow answers again")
                away = 0
            except LeaseLost:
                return
            except TrackingUnavailable as error:
                if not away:
                    log.warning("%s; jobs go on, their runs are made later", error)
                away = min(away + 1, 5)
            except Exception:  # the thread's boundary: without it no run would ever be closed again
                log.exception("MLflow sync")
                away = min(away + 1, 5)

    def round(self) -> None:
        """Bring the run of every job up to date that may lack something. Raises TrackingUnavailable, LeaseLost."""
        troubles: list[Exception] = []
        for job in self._repository.jobs_to_track():
            try:
                self._update(job)
            except (TrackingUnavailable, ObjectStoreError) as error:
                self._tracking.ping()  # MLflow is there, so the trouble is this job's: the others go on
                troubles.append(error)
        if troubles:
            raise TrackingUnavailable(f"{len(troubles)} runs could not be brought up to date: {troubles[0]}") from troubles[0]

    def _update(self, job: Job) -> None:
        if job.id in self._refused and job.state not in TERMINAL:
            return
        try:
            run_id = job.mlflow_run_id or self._make_run(job)
            over = job.state in TERMINAL or job.state is JobState.RETRYING
            if job.state in TERMINAL:
                self._replay.forget(job.id)  # a later attempt may have sent what an earlier one had left on its machine's disk
            self._replay.replay(job.id, job.attempt if over else job.attempt - 1, run_id)
            if job.state in TERMINAL:
                self._tracking.drop_doubles(job.id, run_id)
                self._tracking.set_status(run_id, _STATUS[job.state], ended=job.finished_at or utcnow())
                self._tag_end(run_id, job)
                self._keep_series(run_id, job)
            elif job.attempt > 1 and self._reopened.get(job.id) != job.attempt:
                self._tracking.set_status(run_id, "RUNNING")
                self._reopened[job.id] = job.attempt
        except TrackingRefused as error:
            log.error("job %s has no MLflow run, or not a right one: %s", job.id, error)
            self._refused.add(job.id)
        if job.state in TERMINAL:
            self._repository.settle_job(job.id, job.finished_at, lease=self._lease)
            self._reopened.pop(job.id, None)
            self._refused.discard(job.id)
            self._replay.forget(job.id)

    def _make_run(self, job: Job) -> str:
        tags = {
            "trainyard.template": job.template,
            "trainyard.engine": self._settings.engine,
            "trainyard.team": job.team,
            "trainyard.code": job.code or "",
            "trainyard.data": job.data or "",
            **{key: str(value) for key, value in job.tags.items()},
        }
        experiment, run_id = self._tracking.ensure_run(
            job.id, job.name, job.created_at, flatten(self._repository.get_job(job.id).parameters), {k: v for k, v in tags.items() if v}
        )
        # The trainer looks here when it was started before the run was made.
        self._objects.put_bytes(f"jobs/{job.id}/mlflow_run_id", run_id.encode())
        self._repository.update_job(job.id, lease=self._lease, mlflow_run_id=run_id, mlflow_experiment_id=experiment)
        return run_id

    def _keep_series(self, run_id: str, job: Job) -> None:
        """So that nobody who compares it with others waits for MLflow. What would take long is left to the first look."""
        if sum(max(0, point.step) + 1 for point in self._tracking.latest_metrics(run_id).values()) <= _QUICK_POINTS:
            keep_series(self._objects, job.id, job.attempt, load_series(self._tracking, run_id, [], KEPT_POINTS))

    def _tag_end(self, run_id: str, job: Job) -> None:
        self._tracking.set_tag(run_id, "trainyard.state", job.state.value)
        if job.reason:
            self._tracking.set_tag(run_id, "trainyard.reason", job.reason)


def flatten(parameters: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters as MLflow keeps them: ``{"config": {"lr": 1}}`` becomes ``{"config.lr": 1}``."""
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            flat.update(flatten(value, f"{name}."))
        elif value is not None:
            flat[_param_name(name)] = value
    return flat


def _param_name(name: str) -> str:
    """MLflow takes letters, digits, ``_ - . / :`` and spaces, at most 250."""
    return "".join(letter if letter.isalnum() or letter in "_-. /:" else "_" for letter in name)[:250]
