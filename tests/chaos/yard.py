"""The platform under fault: its processes, the jobs on it, and what "nothing is lost" means."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.waiting import wait_for
from trainyard import Client
from trainyard.embedded import lifecycle
from trainyard.embedded.config import PlatformConfig
from trainyard.embedded.processes import ProcessTable, marked_processes
from trainyard.errors import TrainyardError
from trainyard.models import Job
from trainyard.packing import packed_file

WORKLOADS = Path(__file__).parent / "workloads"
#: A job on a busy machine of two cores, with a second attempt.
JOB_SECONDS = 400


class Yard:
    """One embedded platform and a client of it."""

    def __init__(self, config: PlatformConfig) -> None:
        self.config = config
        self.client = Client(url=config.url, token=config.api_token_file.read_text().strip())
        self._codes: dict[str, str] = {}

    # --- processes --------------------------------------------------------------------------------------------------

    def part(self, name: str) -> psutil.Process:
        """The platform's own process with this name: supervisor, ray, mlflow, api or controller."""

        def found() -> psutil.Process | None:
            known = ProcessTable.load(self.config.processes_file)
            if known is None:
                return None
            identity = known.supervisor if name == "supervisor" else known.processes.get(name)
            return identity.process() if identity else None

        return wait_for(f"the process {name}", found, seconds=60, every=0.1)

    def kill_part(self, name: str) -> None:
        """SIGKILL it with all that it started."""
        root = self.part(name)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                process.kill()

    @contextlib.contextmanager
    def silenced(self, name: str) -> Iterator[None]:
        """A part that is there and does nothing: SIGSTOP, and SIGCONT at the end."""
        root = self.part(name)
        frozen = [root, *root.children(recursive=True)]
        try:
            for process in frozen:
                with contextlib.suppress(psutil.Error):
                    process.suspend()
            yield
        finally:
            for process in frozen:
                with contextlib.suppress(psutil.Error):
                    process.resume()

    def signal_rank(self, job_id: str, rank: int, number: signal.Signals) -> None:
        """Send a signal to a rank's training process."""
        os.kill(
            wait_for(f"rank {rank} of {job_id}", lambda: self._of_job(job_id, "trainyard_train.training_process", rank), seconds=60), number
        )

    def kill_driver(self, job_id: str) -> None:
        """SIGKILL the job's driver."""
        os.kill(wait_for(f"the driver of {job_id}", lambda: self._of_job(job_id, "trainyard_train"), seconds=60), signal.SIGKILL)

    def kill_gcs(self) -> None:
        """SIGKILL the Ray head's control process."""
        [gcs] = [process for process in marked_processes(self.config.marker) if process.name() == "gcs_server"]
        gcs.kill()

    def _of_job(self, job_id: str, module: str, rank: int | None = None) -> int | None:
        for process in self.processes_of(job_id):
            with contextlib.suppress(psutil.Error):
                if process.cmdline()[-1:] == [module] and (rank is None or process.environ().get("RANK") == str(rank)):
                    return int(process.pid)
        return None

    def processes_of(self, job_id: str) -> list[psutil.Process]:
        """Every process that was started for this job."""
        found = []
        for process in marked_processes(self.config.marker):
            with contextlib.suppress(psutil.Error):
                if process.environ().get("TRAINYARD_JOB_ID") == job_id:
                    found.append(process)
        return found

    # --- jobs -------------------------------------------------------------------------------------------------------

    def submit(self, workload: str, *arguments: object, workers: int = 1, cpus: float = 0.5, key: str | None = None) -> str:
        """A job of the `script` template on one of the workloads; its id."""
        if workload not in self._codes:
            with packed_file(WORKLOADS / workload) as packed:
                self._codes[workload] = self.client.upload_code(packed.path).id
        parameters = {"entry": workload, "arguments": [str(one) for one in arguments], "workers": workers, "cpus_per_worker": cpus}
        return self.client.submit("script", parameters, code=self._codes[workload], idempotency_key=key).id

    def step(self, job_id: str) -> int:
        """The last step that the job's newest attempt has printed; 0 before."""
        with contextlib.suppress(TrainyardError):
            if attempts := self.client.job_attempts(job_id):
                log = self.client.read_log(job_id, attempt=attempts[-1].number, rank="0", offset=-4000).content
                return max((int(step) for step in re.findall(r"^step (\d+)$", log, re.MULTILINE)), default=0)
        return 0

    def await_step(self, job_id: str, step: int, seconds: float = JOB_SECONDS) -> None:
        """Return when the job is at this step or past it; AssertionError with its reason when it ends before."""

        def reached() -> bool:
            if self.step(job_id) >= step:
                return True
            with contextlib.suppress(TrainyardError):
                job = self.client.get_job(job_id)
                assert not job.state.ended or self.step(job_id) >= step, f"it ended as {job.state} before step {step}: {job.reason}"
            return False

        wait_for(f"step {step} of {job_id}", reached, seconds=seconds, every=0.2)

    def await_new_step(self, job_id: str) -> float:
        """Seconds until the next attempt has printed a step."""
        begun, attempt = time.monotonic(), len(self.client.job_attempts(job_id))

        def goes_on() -> bool:
            with contextlib.suppress(TrainyardError):
                return len(self.client.job_attempts(job_id)) > attempt and self.step(job_id) > 0
            return False

        wait_for(f"a new attempt of {job_id}", goes_on, seconds=JOB_SECONDS, every=0.2)
        return time.monotonic() - begun

    def ended(self, job_id: str, seconds: float = JOB_SECONDS) -> Job:
        """The job at its end; an API that is away for a while is asked again."""

        def there() -> Job | None:
            with contextlib.suppress(TrainyardError):
                job = self.client.get_job(job_id)
                return job if job.state.ended else None
            return None

        return wait_for(f"the end of {job_id}", there, seconds=seconds, every=0.3)

    def await_ready(self) -> None:
        """Return when every part answers."""
        wait_for("the platform", lambda: lifecycle.status(self.config.state_dir).ready, seconds=240, every=0.5)

    def mend(self) -> None:
        """The platform ready for the next case, also when a failed one left it without its supervisor."""
        if not lifecycle.status(self.config.state_dir).running:
            lifecycle.up(self.config)
        self.await_ready()

    # --- nothing is lost --------------------------------------------------------------------------------------------

    def assert_whole(self, job_id: str, steps: int, *, attempts: int) -> None:
        """It succeeded in so many attempts, in one MLflow run, each step recorded once and logged, and nothing of it runs any more."""
        job = self.ended(job_id)
        found = self.client.job_attempts(job_id)
        story = [(one.outcome, one.failure_kind, one.reason) for one in found]
        assert job.state == "SUCCEEDED", f"{job.state}: {job.reason}; {story}"
        assert len(found) == attempts, f"{len(found)} attempts instead of {attempts}: {story}"
        wait_for(f"the closed MLflow run of {job_id}", lambda: self.run_status(job_id) == "FINISHED", seconds=120, every=0.5)
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
        wait_for(f"the processes of {job_id} to end", lambda: not self.processes_of(job_id), seconds=60, every=0.5)

    def _runs(self, job_id: str) -> list[dict[str, Any]]:
        experiments = self._mlflow("POST", "experiments/search", {"max_results": 1000})["experiments"]
        ids = [one["experiment_id"] for one in experiments]
        wanted = {"experiment_ids": ids, "filter": f"tags.`trainyard.job_id` = '{job_id}'", "max_results": 10}
        found: list[dict[str, Any]] = self._mlflow("POST", "runs/search", wanted).get("runs", [])
        return found

    def run_status(self, job_id: str) -> str:
        """The status of the job's one run in MLflow."""
        runs = self._runs(job_id)
        assert len(runs) == 1, f"{len(runs)} runs in MLflow for one job"
        return str(runs[0]["info"]["status"])

    def history(self, job_id: str, key: str) -> list[tuple[int, float]]:
        """Every point of a metric as MLflow has it: step and value."""
        [run] = self._runs(job_id)
        answer = self._mlflow("GET", "metrics/get-history", {"run_id": run["info"]["run_id"], "metric_key": key, "max_results": 25000})
        return sorted((int(point.get("step", 0)), float(point["value"])) for point in answer.get("metrics", []))

    def _mlflow(self, method: str, path: str, values: dict[str, Any]) -> dict[str, Any]:
        given: dict[str, Any] = {"params": values} if method == "GET" else {"json": values}
        answer = httpx.request(method, f"{self.config.mlflow_url}/api/2.0/mlflow/{path}", **given, timeout=30, trust_env=False)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found


def _difference(found: list[int], steps: int) -> str:
    missing = sorted(set(range(1, steps + 1)) - set(found))
    twice = sorted({one for one in found if found.count(one) > 1})
    return f"missing {missing[:10]}, twice {twice[:10]}, {len(found)} of {steps}"
