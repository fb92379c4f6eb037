"""What would become of a job that is submitted now: the controller's rules, applied to what it last saw."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from trainyard_api.services.drafts import CheckedDraft, JobDraft, check
from trainyard_api.services.fit import shortage, taken, workers_that_fit
from trainyard_api.services.platform import Platform
from trainyard_api.store.models import Attempt, CapacityRow, Job, utcnow
from trainyard_api.store.repository import WaitingJob
from trainyard_api.store.states import JobState
from trainyard_api.teams import Team
from trainyard_templates import ResourceSpec

#: The controller writes the capacity down every few seconds while the engine answers.
_CAPACITY_AGE = timedelta(seconds=60)
_UNITS = ("cpus", "gpus", "memory_gb")


@dataclass(frozen=True)
class Preview:
    """The verdict and why; ``ahead`` counts the waiting jobs that come first."""

    verdict: Literal["starts_now", "waits", "never"]
    reason: str
    ahead: int = 0


def preview(platform: Platform, draft: JobDraft) -> Preview:
    """What would become of the job. Nothing is written. Raises Invalid for a draft that cannot be accepted, and ObjectStoreError."""
    checked = check(platform, draft)
    if checked.misfits:
        return Preview("never", f"can never start: {'; '.join(misfit.message for misfit in checked.misfits)}")
    repository = platform.repository
    placed, waiting = repository.uncleaned_attempts(), repository.waiting_jobs()
    if checked.team.queue is not None:
        return _in_queue(checked.team, placed, waiting)
    capacity = repository.get_capacity()
    if capacity is None:
        return Preview("waits", "the controller has not seen the engine yet; jobs start as soon as it has", len(waiting))
    age = utcnow() - capacity.recorded_at
    if age > _CAPACITY_AGE:
        silent = f"the engine has not answered for {age.total_seconds():.0f} s; jobs start when it does"
        return Preview("waits", silent, len(waiting))
    return _Line(platform, placed, capacity).join(checked, waiting)


def _in_queue(team: Team, placed: list[tuple[Job, Attempt]], waiting: list[WaitingJob]) -> Preview:
    """Such a job is handed over at once, and the cluster's queue decides."""
    held = sum(job.team == team.name and attempt.admitted_at is None and attempt.finished_at is None for job, attempt in placed)
    ahead = held + sum(job.team == team.name for job in waiting)
    if ahead:
        return Preview("waits", f"{_jobs(ahead)} of the team {team.name} {_wait(ahead)} for the queue {team.queue}", ahead)
    return Preview("starts_now", f"goes to the queue {team.queue} at once, where nothing of the team {team.name} waits")


class _Line:
    """The jobs that wait for the controller itself, first come, first served, and what they leave for the next."""

    def __init__(self, platform: Platform, placed: list[tuple[Job, Attempt]], capacity: CapacityRow) -> None:
        self._teams = {team.name: team for team in platform.teams}
        self._running = Counter(job.team for job, _ in placed)
        self._free = {unit: float(capacity.detail.get(f"{unit}_free", 0)) for unit in _UNITS}
        #: On Kubernetes a team's next job starts only when its last one has all its pods.
        self._one_by_one = capacity.engine == "kubernetes"
        self._starting = {job.team for job, _ in placed if job.state is JobState.STARTING} if self._one_by_one else set[str]()
        self._full = False

    def join(self, checked: CheckedDraft, waiting: list[WaitingJob]) -> Preview:
        """What becomes of one that comes after these."""
        name, ahead = checked.team.name, 0
        for job in waiting:
            team = self._teams.get(job.team)
            if team is not None and team.queue is not None:
                continue
            if self._held(job.team) is None and self._start(job.team, ResourceSpec.model_validate(job.resources)):
                continue
            ahead += self._held(job.team) is None or job.team == name  # what its own team holds up, holds up no other
        resources = checked.spec.resources
        behind = f"{_jobs(ahead)} {_wait(ahead)} before it" if ahead else None
        why = self._held(name) or shortage(resources, self._free)
        if why is not None or self._full:
            return Preview("waits", " and ".join(part for part in (why, behind) if part), ahead)
        workers = workers_that_fit(resources, self._free)
        if workers < resources.workers:
            return Preview("starts_now", f"{workers} of its {resources.workers} workers fit into what is free", ahead)
        return Preview("starts_now", f"its {workers} workers fit into what is free" if workers > 1 else "it fits into what is free", ahead)

    def _held(self, team: str) -> str | None:
        """Why a job of this team does not start whatever is free, or None."""
        limit = self._teams[team].max_jobs if team in self._teams else None
        if limit is not None and self._running[team] >= limit:
            return f"the team {team} runs as many jobs at a time as it may ({limit})"
        if team in self._starting:
            return f"a job of the team {team} has not all its workers yet"
        return None

    def _start(self, team: str, resources: ResourceSpec) -> bool:
        """Whether the next in line starts; its resources are taken then."""
        workers = 0 if self._full else workers_that_fit(resources, self._free)
        if not workers:
            self._full = True
            return False
        self._free = taken(resources, workers, self._free)
        self._running[team] += 1
        if self._one_by_one:
            self._starting.add(team)
        return True


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"


def _wait(count: int) -> str:
    return "waits" if count == 1 else "wait"
