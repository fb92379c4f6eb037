"""Warm pools: Ray clusters of a team, with everything imported, that wait for the team's next job of their size and image."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from trainyard_api.controller.attempt_objects import Heartbeats, attempt_prefix, clean, next_key
from trainyard_api.controller.patience import Patience
from trainyard_api.controller.placement import FreeCapacity
from trainyard_api.controller.submissions import submission_of_warm
from trainyard_api.engines.base import Engine, EngineStatus, Phase, SubmissionRefused
from trainyard_api.objects.base import ObjectStore
from trainyard_api.settings import Settings
from trainyard_api.store.lease import Lease
from trainyard_api.store.models import Attempt, Job, WarmCluster, utcnow
from trainyard_api.store.repository import Repository, WaitingJob
from trainyard_api.store.states import JobState
from trainyard_api.teams import Team, Teams, WarmPool

log = logging.getLogger(__name__)

#: What decides whether a job fits a warm cluster; elastic jobs get one with all of their workers.
_SIZE = ("workers", "cpus_per_worker", "gpus_per_worker", "memory_gb_per_worker")
_FIRST_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 15.0, 900.0
_ACTIVITY_SECONDS = 5.0


@dataclass(frozen=True)
class _Recipe:
    """One pool of one team, and the digest of all that decides how its clusters are started."""

    team: Team
    pool: WarmPool
    digest: str


class WarmPools:
    """Everything about warm clusters in one term. `look` reads them; what the other methods say is as of then."""

    def __init__(
        self,
        settings: Settings,
        repository: Repository,
        objects: ObjectStore,
        engine: Engine,
        teams: Teams,
        lease: Lease,
        patience: Patience,
    ) -> None:
        self._settings, self._repository, self._objects, self._engine = settings, repository, objects, engine
        self._lease, self._patience = lease, patience
        self._recipes = {recipe.digest: recipe for recipe in _recipes(teams, settings)}
        self._heartbeats = Heartbeats(objects, interval=patience.heartbeat, longest=patience.unseen)
        self._teams = teams
        self._clusters: list[WarmCluster] = []
        self._looked = False
        #: Those that were seen at work in this term.
        self._seen: set[str] = set()
        #: Teams whose pools are not filled, because an attempt waits for room.
        self._yielding: set[str] = set()
        self._stop_asked: dict[str, float] = {}
        self._failures: Counter[str] = Counter()
        self._not_before: dict[str, float] = {}
        self._active: dict[str, bool] = {}
        self._active_at = float("-inf")

    def look(self, guarded: Callable[[str, Callable[[], None]], None]) -> None:
        """Read the rows, and take the step that is due for each; ``guarded`` calls a step for an id and survives what it meets."""
        if self._looked and not self._clusters and not self._recipes:
            return
        self._clusters, self._looked = self._repository.warm_clusters(), True
        for cluster in list(self._clusters):
            guarded(cluster.id, lambda cluster=cluster: self._follow(cluster))  # type: ignore[misc]

    def as_list(self) -> list[dict[str, Any]]:
        """For the capacity row."""
        return [
            {"team": cluster.team, "image": cluster.image, "ready": cluster.ready_at is not None, **cluster.resources}
            for cluster in self._clusters
            if cluster.dropped_at is None
        ]

    def take_from(self, free: FreeCapacity) -> FreeCapacity:
        """What they leave of it."""
        for cluster in self._clusters:
            free.take(cluster.resources, cluster.workers)
        return free

    def match(self, job: WaitingJob) -> WarmCluster | None:
        """The one to give to this job, or None."""
        for cluster in self._clusters:
            ready = cluster.ready_at is not None and cluster.dropped_at is None
            if ready and cluster.team == job.team and cluster.image == job.image and _size(cluster.resources) == _size(job.resources):
                return cluster
        return None

    def start(self, job: WaitingJob, cluster: WarmCluster) -> tuple[Job, Attempt] | None:
        """Give it to the job: its next attempt; None when it turned out to be no longer fit.

        Raises EngineUnavailable, StateConflict, NotFound, LeaseLost.
        """
        if not self._engine.carries_on(_handle(cluster), whole=True, deadline_seconds=job.deadline_seconds):
            self._drop(cluster, "it is not whole any more", failed=True)
            return None
        handle = {**_handle(cluster), "warm_cluster": cluster.id, "waits_at": next_key(cluster.id, 0)}
        started = self._repository.start_warm(job.id, job.state, cluster, handle, lease=self._lease)
        self._forget(cluster)
        return started

    def make_room(self, job: WaitingJob, free: FreeCapacity) -> None:
        """Drop as many as this job needs to fit into ``free`` beside what is left, if that is enough."""
        room, dropped = copy.copy(free), list[WarmCluster]()
        for cluster in sorted(self._clusters, key=lambda one: one.dropped_at is None):  # first those that leave anyway
            if room.workers_that_fit(job.resources) is not None:
                break
            room.take(cluster.resources, -cluster.workers)
            dropped.append(cluster)
        if room.workers_that_fit(job.resources) is not None:
            for cluster in dropped:
                self._drop(cluster, f"job {job.id} needs the room")

    def make_way(self, placed: Iterable[tuple[Job, Attempt]], statuses: Mapping[str, EngineStatus]) -> None:
        """Drop what may stand in the way of an attempt that the engine, or a queue of its own, holds back."""
        self._yielding = set()
        for job, attempt in placed:
            status = statuses.get(attempt.submission_id)
            if status is None or attempt.finished_at is not None or not (status.phase is Phase.QUEUED or status.crowded):
                continue
            # A queue holds back for quota, which only what is in queues uses; a node without room is without it for all.
            self._yielding |= {name for name in self._teams.names if status.crowded or self._engine.queues(name)}
            for cluster in self._clusters:
                if status.crowded or self._engine.queues(cluster.team):
                    self._drop(cluster, f"job {job.id} waits for room")

    def fill(self, placed: Iterable[tuple[Job, Attempt]], free: FreeCapacity) -> None:
        """Start what is missing, one at a time; to be called only while no job waits. ``free`` is what neither jobs nor these hold."""
        if not self._recipes or any(cluster.ready_at is None or cluster.dropped_at for cluster in self._clusters):
            return
        if any(job.state is JobState.STARTING for job, _ in placed):
            return  # a start takes all that the machine has, and this one can wait
        there = Counter(cluster.recipe for cluster in self._clusters)
        for digest, recipe in self._recipes.items():
            resources = recipe.pool.resources()
            if there[digest] >= recipe.pool.clusters or time.monotonic() < self._not_before.get(digest, 0.0):
                continue
            if recipe.team.name in self._yielding or not self._is_active(recipe) or free.workers_that_fit(resources) is None:
                continue
            made = self._repository.add_warm_cluster(recipe.team.name, digest, resources, recipe.pool.image, lease=self._lease)
            self._clusters.append(made)
            return

    # --- one of them ------------------------------------------------------------------------------------------------

    def _follow(self, cluster: WarmCluster) -> None:
        if cluster.handle is None and cluster.dropped_at is None:
            self._submit(cluster)
            return
        status = self._engine.describe(_handle(cluster))
        lost_until = cluster.created_at + timedelta(seconds=self._patience.lost_answer)
        if cluster.handle is None and status.phase is Phase.MISSING and utcnow() < lost_until:
            return  # a submission whose answer was lost may still arrive
        if status.phase.ended:
            # One that is unknown at the first look went with the engine, as on a machine that was restarted.
            if cluster.dropped_at is None and (status.phase is not Phase.MISSING or cluster.id in self._seen):
                self._failed(cluster, clean(status.message or "its driver has ended"))
            self._remove(cluster)
            return
        self._seen.add(cluster.id)
        if cluster.dropped_at is not None:
            self._ask_to_stop(cluster)
        elif why := self._unfit(cluster, status):
            self._drop(cluster, why, failed=True)
        elif why := self._unwanted(cluster):
            self._drop(cluster, why)
        elif cluster.ready_at is None and self._objects.exists(f"{attempt_prefix(cluster.id, 0)}/ready.json"):
            self._update(cluster, ready_at=utcnow())
            self._failures.pop(cluster.recipe, None)
            log.info("%s: %s waits for a job of %s", cluster.id, _words(cluster), cluster.team)

    def _submit(self, cluster: WarmCluster) -> None:
        """Doing it again after a crash finds the same engine job."""
        submission = submission_of_warm(cluster, self._settings, object_store_url=self._objects.url, standby_seconds=self._patience.standby)
        try:
            self._update(cluster, handle=self._engine.submit(submission))
        except SubmissionRefused as refused:
            self._failed(cluster, clean(refused))
            self._remove(cluster)

    def _unfit(self, cluster: WarmCluster, status: EngineStatus) -> str | None:
        """Why no job should have it."""
        if status.doomed:
            return clean(status.message or "the engine gave it up")
        if status.phase is Phase.QUEUED or status.crowded:
            return "there is no room for it"
        if status.phase is Phase.RUNNING:
            silent = self._heartbeats.silent_seconds(cluster.id, 0)
            if silent > self._settings.heartbeat_timeout_seconds:
                return f"its driver has not been heard of for {self._settings.heartbeat_timeout_seconds:g} s"
        if cluster.ready_at is None and utcnow() - cluster.created_at > timedelta(seconds=self._patience.warm_up):
            return f"it was not ready after {self._patience.warm_up:g} s"
        return None

    def _unwanted(self, cluster: WarmCluster) -> str | None:
        recipe = self._recipes.get(cluster.recipe)
        if recipe is None:
            return "it was started for other settings"
        same = [one.id for one in self._clusters if one.recipe == cluster.recipe and one.dropped_at is None]
        if len(same) > recipe.pool.clusters and cluster.id == same[-1]:
            return "the pool has more than it should"
        return None if self._is_active(recipe) else f"the team {recipe.team.name} has submitted nothing for a while"

    def _is_active(self, recipe: _Recipe) -> bool:
        """Whether the team has submitted something lately."""
        minutes, team = recipe.pool.idle_minutes, recipe.team.name
        if minutes is None:
            return True
        if time.monotonic() - self._active_at > _ACTIVITY_SECONDS:
            self._active, self._active_at = {}, time.monotonic()
        if recipe.digest not in self._active:
            latest = self._repository.last_submission(team)
            self._active[recipe.digest] = latest is not None and utcnow() - latest < timedelta(minutes=minutes)
        return self._active[recipe.digest]

    def _drop(self, cluster: WarmCluster, why: str, *, failed: bool = False) -> None:
        if cluster.dropped_at is not None:
            return
        if failed:
            self._failed(cluster, why)
        else:
            log.info("%s: %s of %s is dropped: %s", cluster.id, _words(cluster), cluster.team, why)
        self._update(cluster, dropped_at=utcnow())
        self._ask_to_stop(cluster)

    def _failed(self, cluster: WarmCluster, why: str) -> None:
        """The next one of its pool waits longer each time."""
        self._failures[cluster.recipe] += 1
        pause = min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2 ** (min(30, self._failures[cluster.recipe]) - 1))
        self._not_before[cluster.recipe] = time.monotonic() + pause
        log.warning("%s: %s of %s is lost, the next one comes in %g s: %s", cluster.id, _words(cluster), cluster.team, pause, why)

    def _ask_to_stop(self, cluster: WarmCluster) -> None:
        now = time.monotonic()
        if now - self._stop_asked.get(cluster.id, float("-inf")) >= self._patience.stop_again:
            self._engine.stop(_handle(cluster))
            self._stop_asked[cluster.id] = now

    def _remove(self, cluster: WarmCluster) -> None:
        """Nothing of it runs any more."""
        self._engine.delete(_handle(cluster))
        self._objects.delete_prefix(f"jobs/{cluster.id}/")
        self._repository.remove_warm_cluster(cluster.id, lease=self._lease)
        self._forget(cluster)

    def _forget(self, cluster: WarmCluster) -> None:
        self._clusters = [one for one in self._clusters if one.id != cluster.id]
        self._stop_asked.pop(cluster.id, None)
        self._seen.discard(cluster.id)
        self._heartbeats.forget(cluster.id, 0)

    def _update(self, cluster: WarmCluster, **columns: object) -> None:
        for name, value in columns.items():
            setattr(cluster, name, value)
        self._repository.update_warm_cluster(cluster.id, lease=self._lease, **columns)


def _recipes(teams: Teams, settings: Settings) -> Iterable[_Recipe]:
    images = settings.trainer_image, settings.trainer_cuda_image
    places = settings.object_store, settings.mlflow_url, settings.job_mlflow_url, settings.job_s3_endpoint_url, settings.job_secret
    for team in teams:
        whose = team.model_dump(include={"name", "namespace", "service_account", "queue", "priority_class"})
        for pool in team.warm:
            content = json.dumps([whose, pool.resources(), pool.image, images, places], sort_keys=True)
            yield _Recipe(team, pool, hashlib.sha256(content.encode()).hexdigest())


def _handle(cluster: WarmCluster) -> dict[str, Any]:
    """The engine's handle; the submission id alone while the answer to the submission is not known."""
    return cluster.handle or {"submission_id": cluster.submission_id}


def _size(resources: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(resources.get(name) or 0 for name in _SIZE)


def _words(cluster: WarmCluster) -> str:
    return f"a warm cluster with {cluster.workers} {'worker' if cluster.workers == 1 else 'workers'}"
