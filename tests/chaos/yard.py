"""The platform under fault: the jobs on it, and what "nothing is lost" means, whatever it runs on."""

from __future__ import annotations

import contextlib
import re
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import httpx

from tests.support.waiting import wait_for
from trainyard import Client
from trainyard.errors import TrainyardError
from trainyard.models import Job
from trainyard.packing import packed_file

WORKLOADS = Path(__file__).parent / "workloads"


class Yard(ABC):
    """One platform and a client of it; what it runs on says how faults are injected."""

    #: Parameters of a job that make a worker small enough.
    size: ClassVar[dict[str, float]] = {}
    #: A job on a busy machine of two cores, with a second attempt.
    job_seconds: ClassVar[float] = 400
    #: Seconds after a submission: between the job's row and the engine, in the middle, and after it.
    submission_pauses: ClassVar[tuple[float, ...]] = (0.0, 0.3, 1.0)

    def __init__(self, url: str, token: str, mlflow_url: str, mlflow_auth: tuple[str, str] | None = None) -> None:
        self.url, self._token = url, token
        self.client = Client(url=url, token=token)
        self._mlflow_url, self._mlflow_auth = mlflow_url, mlflow_auth
        self._codes: dict[str, str] = {}

    # --- faults that every platform has -----------------------------------------------------------------------------

    @abstractmethod
    def signal_rank(self, job_id: str, rank: int, number: signal.Signals) -> None:
        """Send a signal to a rank's training process."""

    @abstractmethod
    def kill_driver(self, job_id: str) -> None:
        """SIGKILL the job's driver."""

    @abstractmethod
    def kill_controller(self) -> None:
        """SIGKILL the platform's controller, which comes back by itself."""

    @abstractmethod
    def kill_gcs(self, job_id: str) -> None:
        """SIGKILL the control process of the Ray head that the job runs on."""

    @abstractmethod
    def left_of(self, job_id: str) -> list[str]:
        """What of this job still runs, each in a few words."""

    @abstractmethod
    def await_ready(self) -> None:
        """Return when every part answers."""

    @abstractmethod
    def mend(self) -> None:
        """The platform ready for the next case, also when a failed one left it broken."""

    # --- jobs -------------------------------------------------------------------------------------------------------

    def submit(self, workload: str, *arguments: object, workers: int = 1, key: str | None = None, **parameters: object) -> str:
        """A job of the `script` template on one of the workloads; its id."""
        if workload not in self._codes:
            with packed_file(WORKLOADS / workload) as packed:
                self._codes[workload] = self.client.upload_code(packed.path).id
        given = {"entry": workload, "arguments": [str(one) for one in arguments], "workers": workers, **self.size, **parameters}
        return self.client.submit("script", given, code=self._codes[workload], idempotency_key=key).id

    def step(self, job_id: str) -> int:
        """The last step that the job's newest attempt has printed; 0 before."""
        with contextlib.suppress(TrainyardError):
            if attempts := self.client.job_attempts(job_id):
                log = self.client.read_log(job_id, attempt=attempts[-1].number, rank="0", offset=-4000).content
                return max((int(step) for step in re.findall(r"^step (\d+)$", log, re.MULTILINE)), default=0)
        return 0

    def await_step(self, job_id: str, step: int) -> None:
        """Return when the job is at this step or past it; AssertionError with its reason when it ends before."""

        def reached() -> bool:
            if self.step(job_id) >= step:
                return True
            with contextlib.suppress(TrainyardError):
                job = self.client.get_job(job_id)
                assert not job.state.ended or self.step(job_id) >= step, f"it ended as {job.state} before step {step}: {job.reason}"
            return False

        wait_for(f"step {step} of {job_id}", reached, seconds=self.job_seconds, every=0.2)

    def recovery(self, job_id: str, fault: Callable[[], None]) -> float:
        """Inject the fault; the seconds from when that is done until the next attempt has printed a step."""
        attempt = len(self.client.job_attempts(job_id))
        fault()
        begun = time.monotonic()

        def goes_on() -> bool:
            with contextlib.suppress(TrainyardError):
                return len(self.client.job_attempts(job_id)) > attempt and self.step(job_id) > 0
            return False

        wait_for(f"a new attempt of {job_id}", goes_on, seconds=self.job_seconds, every=0.2)
        return time.monotonic() - begun

    def ended(self, job_id: str) -> Job:
        """The job at its end; an API that is away for a while is asked again."""

        def there() -> Job | None:
            with contextlib.suppress(TrainyardError):
                job = self.client.get_job(job_id)
                return job if job.state.ended else None
            return None

        return wait_for(f"the end of {job_id}", there, seconds=self.job_seconds, every=0.3)

    def answer(self, path: str) -> tuple[int, float, bool]:
        """Of the API: the status, the seconds that it took, and whether it says when to come back."""
        begun = time.monotonic()
        given = httpx.get(f"{self.url}{path}", headers={"Authorization": f"Bearer {self._token}"}, timeout=60, trust_env=False)
        return given.status_code, time.monotonic() - begun, "Retry-After" in given.headers

    # --- nothing is lost --------------------------------------------------------------------------------------------

    def assert_whole(self, job_id: str, steps: int, *, attempts: int) -> None:
        """It succeeded in so many attempts, in one MLflow run, each step recorded once and logged, and nothing of it runs any more."""
        job = self.ended(job_id)
        found = self.client.job_attempts(job_id)
        story = [(one.outcome, one.failure_kind, one.reason) for one in found]
        assert job.state == "SUCCEEDED", f"{job.state}: {job.reason}; {story}"
        assert len(found) == attempts, f"{len(found)} attempts instead of {attempts}: {story}"
        self.await_run(job_id, "FINISHED")
        history = self.history(job_id, "figure")
        recorded = [step for step, _ in history]
        assert recorded == list(range(1, steps + 1)), f"steps in MLflow: {_difference(recorded, steps)}"
        assert all(value == step / 2 for step, value in history), "a step has another value than was reported"
        printed: set[int] = set()
        for one in found:
            log = b"".join(self.client.download_log(job_id, attempt=one.number, rank="0")).decode()
            own = [int(step) for step in re.findall(r"^step (\d+)$", log, re.MULTILINE)]
            assert not own or own == list(range(own[0], own[-1] + 1)), f"the log of attempt {one.number} has gaps: {own}"
            printed.update(own)
        assert printed == set(range(1, steps + 1)), f"steps in the logs: {_difference(sorted(printed), steps)}"
        self.assert_gone(job_id)

    def assert_gone(self, job_id: str) -> None:
        """Nothing of it runs a minute later."""
        wait_for(f"nothing of {job_id} to run, there is {self.left_of(job_id)}", lambda: not self.left_of(job_id), seconds=60, every=0.5)

    def _runs(self, job_id: str) -> list[dict[str, Any]]:
        experiments = self._mlflow("POST", "experiments/search", {"max_results": 1000})["experiments"]
        ids = [one["experiment_id"] for one in experiments]
        wanted = {"experiment_ids": ids, "filter": f"tags.`trainyard.job_id` = '{job_id}'", "max_results": 10}
        found: list[dict[str, Any]] = self._mlflow("POST", "runs/search", wanted).get("runs", [])
        return found

    def run_status(self, job_id: str) -> str:
        """The status of the job's one run in MLflow; nothing while it has none yet."""
        runs = self._runs(job_id)
        assert len(runs) <= 1, f"{len(runs)} runs in MLflow for one job"
        return str(runs[0]["info"]["status"]) if runs else ""

    def await_run(self, job_id: str, status: str) -> None:
        """Return when the job's one run in MLflow has this status; an MLflow that is away is asked again."""

        def there() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                return self.run_status(job_id) == status
            return False

        wait_for(f"the run of {job_id} in MLflow to be {status}", there, seconds=180, every=0.5)

    def history(self, job_id: str, key: str) -> list[tuple[int, float]]:
        """Every point of a metric as MLflow has it: step and value."""
        [run] = self._runs(job_id)
        answer = self._mlflow("GET", "metrics/get-history", {"run_id": run["info"]["run_id"], "metric_key": key, "max_results": 25000})
        return sorted((int(point.get("step", 0)), float(point["value"])) for point in answer.get("metrics", []))

    def _mlflow(self, method: str, path: str, values: dict[str, Any]) -> dict[str, Any]:
        given: dict[str, Any] = {"params": values} if method == "GET" else {"json": values}
        answer = httpx.request(
            method, f"{self._mlflow_url}/api/2.0/mlflow/{path}", **given, auth=self._mlflow_auth, timeout=60, trust_env=False
        )
        found: dict[str, Any] = answer.raise_for_status().json()
        return found


def _difference(found: list[int], steps: int) -> str:
    missing = sorted(set(range(1, steps + 1)) - set(found))
    twice = sorted({one for one in found if found.count(one) > 1})
    return f"missing {missing[:10]}, twice {twice[:10]}, {len(found)} of {steps}"
