"""One job after another on the real Ray head and MLflow server, submitted as the controller submits them."""

import io
import json
import secrets
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.mlflow_server import MlflowServer
from tests.support.ray_head import RayHead
from tests.support.waiting import wait_for
from trainyard_api.engines.base import EngineStatus, Submission
from trainyard_api.engines.local import LocalEngine
from trainyard_api.tracking import Tracking
from trainyard_templates import RunSpec, get
from trainyard_templates.runspec import ResourceSpec
from trainyard_train.objects import Objects


@dataclass
class Attempt:
    """One submitted attempt of a job, and what it left in the object store."""

    ray: RayHead
    engine: LocalEngine
    objects: Objects
    job_id: str
    number: int
    run_id: str | None
    #: The warm cluster's, when it runs on one.
    warm_handle: dict[str, Any] | None = None

    @property
    def handle(self) -> dict[str, Any]:
        """What the engine knows the attempt by."""
        return self.warm_handle or {"submission_id": f"ty-{self.job_id}-{self.number}"}

    @property
    def prefix(self) -> str:
        """Where the attempt's objects live."""
        return f"jobs/{self.job_id}/attempts/{self.number}"

    def wait(self, seconds: float = 240) -> dict[str, Any]:
        """The result object, once the engine says that the attempt has ended; an assertion shows the driver's log when there is none."""

        def ended() -> EngineStatus | None:
            status = self.engine.describe(self.handle)
            return status if status.phase.ended else None

        wait_for(f"the end of {self.handle}", ended, seconds=seconds, every=0.2)
        result = self.result()
        assert result is not None, "\n".join(self.engine.last_lines(self.handle, 50))
        return result

    def result(self) -> dict[str, Any] | None:
        """The result object, if it is there."""
        found: dict[str, Any] | None = self.objects.get_json(f"{self.prefix}/result.json")
        return found

    def log(self, rank: int | str = 0) -> str:
        """The log of one rank, or of the ``driver``, its chunks joined; they must leave no gap."""
        content = b""
        for key in self.objects.list(f"{self.prefix}/logs/rank-{rank}"):
            assert int(Path(key).stem) == len(content)
            content += self.objects.get(key) or b""
        return content.decode()

    def events(self) -> list[dict[str, Any]]:
        """All events, by time."""
        events = [self.objects.get_json(key) for key in self.objects.list(f"{self.prefix}/events")]
        return sorted(events, key=lambda event: float(event["time"]))

    def stages(self) -> dict[str, float]:
        """When each stage was stamped, in Unix seconds."""
        return {event["name"]: event["time"] for event in self.events() if event["kind"] == "stage"}

    def metrics(self, tracking: Tracking) -> dict[str, list[tuple[int, float]]]:
        """The job's metrics in MLflow: (step, value) by key."""
        assert self.run_id
        return {
            key: [(point.step, point.value) for point in tracking.metric_history(self.run_id, key)]
            for key in tracking.latest_metrics(self.run_id)
        }

    def training_process(self, rank: int = 0, agent: bool = False) -> int:
        """The process id of a rank's training process, or of its agent."""

        def found() -> int | None:
            for pid in self.ray.process_ids():
                with suppress(psutil.Error):  # it may be gone by now
                    process = psutil.Process(pid)
                    variables = process.environ()
                    if process.cmdline()[-1:] != ["trainyard_train.training_process"]:
                        continue
                    if (variables.get("TRAINYARD_JOB_ID"), variables.get("RANK")) == (self.job_id, str(rank)):
                        return process.ppid() if agent else process.pid
            return None

        return wait_for(f"the process of rank {rank}", found, seconds=60)

    def await_log(self, text: str, rank: int | str = 0, seconds: float = 180) -> None:
        """Return when a rank has written ``text``; an attempt that ends without is shown."""

        def written() -> bool:
            result = self.result()
            there = text in self.log(rank)
            assert there or result is None, f"{result}\n{self.log(rank)}"
            return there

        wait_for(f"{text!r} in the log of rank {rank}", written, seconds=seconds, every=0.1)


class Lab:
    """Submits jobs; object store and spool are folders below ``folder``."""

    def __init__(self, folder: Path, ray: RayHead, mlflow: MlflowServer) -> None:
        self.folder, self.ray, self.mlflow = folder, ray, mlflow
        self.engine = LocalEngine(ray.url, ray.token)
        self.objects = Objects(f"file://{folder}/objects")
        self.tracking = Tracking(mlflow.url)
        #: How many MLflow runs were made here.
        self.made_runs = 0

    def store_code(self, files: dict[str, str | Path]) -> str:
        """Pack files (text, or a path to copy from) into a code archive in the object store; its URI."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as bundle:
            for name, content in files.items():
                bundle.writestr(name, content.read_text() if isinstance(content, Path) else content)
        key = f"code/{secrets.token_hex(8)}.zip"
        self.objects.put(key, archive.getvalue())
        return f"{self.objects.url}/{key}"

    def store_data(self, name: str, content: bytes) -> str:
        """A data set in the object store; its URI."""
        key = f"data/{secrets.token_hex(8)}/{name}"
        self.objects.put(key, content)
        return f"{self.objects.url}/{key}"

    def submit(
        self,
        template: str,
        parameters: dict[str, Any],
        *,
        code: dict[str, str | Path] | None = None,
        data: str | None = None,
        after: Attempt | None = None,
        run_known: bool = True,
        environment: dict[str, str] | None = None,
    ) -> Attempt:
        """Submit a job, or the next attempt of the job ``after``; ``run_known=False``: there is no MLflow run yet."""
        kind = get(template)
        spec = kind.render(kind.validate({"workers": 2, **parameters}), code_uri=self.store_code(code) if code else None, data_uri=data)
        return self.submit_spec(spec, after=after, run_known=run_known, environment=environment)

    def submit_spec(
        self,
        spec: RunSpec,
        *,
        after: Attempt | None = None,
        run_known: bool = True,
        environment: dict[str, str] | None = None,
        job_id: str | None = None,
        number: int = 1,
    ) -> Attempt:
        """Submit a spec as it is."""
        job_id = after.job_id if after else job_id or secrets.token_hex(8)
        number = after.number + 1 if after else number
        run_id = after.run_id if after else None
        if run_known and run_id is None:
            run_id = self.make_run(job_id)
        variables = {
            "TRAINYARD_JOB_ID": job_id,
            "TRAINYARD_ATTEMPT": str(number),
            "TRAINYARD_SPEC": spec.model_dump_json(),
            "TRAINYARD_OBJECT_STORE_URL": self.objects.url,
            "TRAINYARD_SPOOL_DIR": str(self.folder / "spool"),
            "TRAINYARD_MLFLOW_URL": self.mlflow.url,
            "TRAINYARD_MLFLOW_RUN_ID": run_id or "",
            **(environment or {}),
        }
        attempt = Attempt(self.ray, self.engine, self.objects, job_id, number, run_id)
        self.engine.submit(
            Submission(
                attempt.handle["submission_id"],
                job_id,
                number,
                spec.resources.workers,
                json.loads(spec.resources.model_dump_json()),
                variables,
            )
        )
        return attempt

    def make_run(self, job_id: str) -> str:
        """The job's MLflow run, as the controller makes it; also written where the trainer looks for it."""
        _, run_id = self.tracking.ensure_run(job_id, f"job {job_id}", datetime.now(UTC), {}, {})
        self.objects.put(f"jobs/{job_id}/mlflow_run_id", run_id.encode())
        self.made_runs += 1
        return run_id

    def run(self, attempt: Attempt) -> dict[str, Any]:
        """The job's run as MLflow's REST API shows it."""
        answer = httpx.get(f"{self.mlflow.url}/api/2.0/mlflow/runs/get", params={"run_id": attempt.run_id}, trust_env=False)
        run: dict[str, Any] = answer.raise_for_status().json()["run"]
        return run

    def count_runs(self) -> int:
        """How many runs the MLflow server has, in all experiments."""
        api = f"{self.mlflow.url}/api/2.0/mlflow"
        experiments = httpx.post(f"{api}/experiments/search", json={"max_results": 1000}, trust_env=False).raise_for_status().json()
        ids = [experiment["experiment_id"] for experiment in experiments["experiments"]]
        found = httpx.post(f"{api}/runs/search", json={"experiment_ids": ids, "max_results": 1000}, trust_env=False)
        return len(found.raise_for_status().json().get("runs", []))

    def warm(self, **resources: Any) -> "WarmCluster":
        """Start a warm cluster of this size, as the controller does."""
        warm_id = f"w{secrets.token_hex(6)}"
        attempt = self.submit_spec(
            RunSpec(kind="function", entry="none:none", resources=ResourceSpec(**resources)), job_id=warm_id, number=0, run_known=False
        )
        return WarmCluster(self, attempt)


@dataclass
class WarmCluster:
    """A warm cluster and the attempt that it is until it is given to a job."""

    lab: Lab
    attempt: Attempt

    def await_ready(self) -> None:
        """Return when it waits for a job."""
        wait_for("a warm cluster", lambda: self.lab.objects.get_json(f"{self.attempt.prefix}/ready.json"), seconds=120, every=0.1)

    def claim(self, spec: RunSpec, *, after: Attempt | None = None) -> Attempt:
        """Give it to a new job of this spec, or to the next attempt of a job."""
        job_id = after.job_id if after else secrets.token_hex(8)
        number = after.number + 1 if after else 1
        run_id = after.run_id if after else self.lab.make_run(job_id)
        word = {"attempt": number, "workers": spec.resources.workers, "job_id": job_id}
        self.lab.objects.put_json(f"{self.attempt.prefix}/next.json", word | {"spec": spec.model_dump(), "mlflow_run_id": run_id})
        return Attempt(self.lab.ray, self.lab.engine, self.lab.objects, job_id, number, run_id, self.attempt.handle)
