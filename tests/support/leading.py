"""A controller that tests drive round by round, with everything around it in one folder."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.databases import opened
from tests.support.engines import CutOffEngine
from tests.support.jobs import new_job
from tests.support.mlflow_stub import MlflowStub
from tests.support.waiting import wait_for
from trainyard_api.controller.loop import Controller
from trainyard_api.controller.patience import Patience
from trainyard_api.engines.base import Submission
from trainyard_api.engines.memory import Script
from trainyard_api.objects import open_store
from trainyard_api.settings import Settings
from trainyard_api.store.database import Database
from trainyard_api.store.models import Attempt, Job
from trainyard_api.store.repository import Repository
from trainyard_api.store.states import JobState
from trainyard_api.tracking import Tracking, TrackingUnavailable

#: Every wait of the controller, short enough to be waited for.
HASTE = Patience(capacity=0, heartbeat=0, unseen=0.1, linger=0.2, stop_again=0.05, stop=0.3, lost_answer=0.2, orphan_look=0, orphan=0.3)


class Yard:
    """Database, objects, engine and MLflow of one platform, and the jobs on it."""

    def __init__(self, folder: Path, database: Database, mlflow: MlflowStub, *, cpus: float = 4) -> None:
        """Scripts of attempts are looked up in ``scripts`` by job id; by default each succeeds at once."""
        self.settings = Settings(
            state_dir=folder,
            mlflow_url=mlflow.url,
            engine="memory",
            poll_seconds=0.02,
            lease_seconds=1,
            heartbeat_timeout_seconds=0.3,
            growth_seconds=0,
        )
        self.database, self.mlflow = database, mlflow
        self.repository = Repository(database)
        self.objects = open_store(self.settings.object_store)
        self.scripts: dict[str, Callable[[int], Script]] = {}
        self.engine = CutOffEngine(self.objects, script=self._script, cpus=cpus)

    def _script(self, submission: Submission) -> Script:
        return self.scripts.get(submission.job_id, lambda _: Script())(submission.attempt)

    def set_teams(self, teams: list[dict[str, Any]]) -> None:
        """The teams of controllers from now on, as in a teams file."""
        path = self.settings.state_dir / "teams.json"
        path.write_text(json.dumps(teams))
        self.settings = self.settings.model_copy(update={"teams_file": path})

    def submit(self, script: Script | Callable[[int], Script] | None = None, **fields: Any) -> str:
        """Accept a job of which every attempt, or each by its number, takes this course; its id."""
        given = new_job(**fields)
        if script is not None:
            self.scripts[given.id] = script if callable(script) else lambda _: script
        self.repository.create_job(given)
        return given.id

    def job(self, job_id: str) -> Job:
        """The job now."""
        return self.repository.get_job(job_id)

    def attempts(self, job_id: str) -> list[Attempt]:
        """Its attempts now."""
        return self.repository.list_attempts(job_id)

    def controller(self, owner: str = "controller") -> Controller:
        """One more candidate."""
        return Controller(
            self.settings, self.database, self.objects, self.engine, Tracking(self.mlflow.url, timeout_seconds=5), owner, patience=HASTE
        )

    def lead(self, owner: str = "controller") -> "Leader":
        """A controller that has just taken over. Its name must be the former leader's, or the lease must have run out."""
        return Leader(self, self.controller(owner))


class Leader:
    """One term of one controller."""

    def __init__(self, yard: Yard, controller: Controller) -> None:
        term = controller.take_lead()
        assert term is not None, "somebody else leads"
        self.yard, self.term = yard, term
        self.steps, self.sync = controller.steps(term), controller.sync(term)

    def round(self) -> None:
        """What both of the controller's threads do once."""
        self.steps.round()
        with suppress(TrackingUnavailable):
            self.sync.round()

    def until(self, job_id: str, *states: JobState) -> Job:
        """Rounds until the job is in one of these states."""

        def probe() -> Job | None:
            self.round()
            job = self.yard.job(job_id)
            return job if job.state in states else None

        return wait_for(f"{job_id} to become {' or '.join(states)}", probe, seconds=60)

    def until_true(self, what: str, probe: Callable[[], object], *, seconds: float = 60) -> None:
        """Rounds until ``probe`` is true."""

        def round_and_probe() -> object:
            self.round()
            return probe()

        wait_for(what, round_and_probe, seconds=seconds)


@contextmanager
def yard(folder: Path, *, cpus: float = 4) -> Iterator[Yard]:
    """An empty platform below the folder."""
    mlflow = MlflowStub()
    try:
        with opened(f"sqlite:///{folder}/trainyard.db") as database:
            yield Yard(folder, database, mlflow, cpus=cpus)
    finally:
        mlflow.close()
