"""The agent of one rank: runs in the Ray Train worker, starts the training process, ships its logs, metrics and checkpoints."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import ray.train

from trainyard_train import checkpoints
from trainyard_train.code_archive import stage_code
from trainyard_train.environment import JobEnvironment
from trainyard_train.logs import LogShipper, last_lines
from trainyard_train.mlflow_batches import MetricBatches
from trainyard_train.objects import Objects
from trainyard_train.records import RecordReader
from trainyard_train.system_metrics import SystemMetrics

SHIP_SECONDS = 0.5
SAMPLE_SECONDS = 10.0
FLUSH_AT_END_SECONDS = 30.0
#: Rank 0's events are numbered from here, so that they never meet the driver's.
FIRST_EVENT = 100_001


class RankFailed(RuntimeError):
    """The training process of one rank ended badly."""


def attempt_prefix(env: JobEnvironment) -> str:
    """Where this attempt's objects live."""
    return f"jobs/{env.job_id}/attempts/{env.attempt}"


def run_rank(env: JobEnvironment) -> None:
    """Ray Train's training function: one rank from start to end.

    Raises:
        RankFailed: the user's code failed; the reason and the last lines are in the object store by then.
    """
    context = ray.train.get_context()
    rank = context.get_world_rank()
    objects = Objects(env.object_store_url)
    folder = env.attempt_spool
    log = folder / "logs" / f"rank-{rank}.log"
    records = folder / "records" / f"rank-{rank}.jsonl"
    shipper = LogShipper(log, f"{attempt_prefix(env)}/logs/rank-{rank}", objects.put)
    reason = None
    started, started_at = time.monotonic(), time.time()
    try:
        code = stage_code(env, objects)
        environment = _torchrun_environment(env, context) | _trainyard_environment(env, objects, rank, records)
        with log.open("ab", buffering=0) as output:
            process = subprocess.Popen(
                [sys.executable, "-u", "-m", "trainyard_train.training_process"],
                cwd=code,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        courier = Courier(env, objects, rank, records, process.pid, environment.get("TRAINYARD_MLFLOW_RUN_ID"), started_at)
        try:
            returncode = process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # whatever the user's code left running
            courier.close()
        reason = _reason(returncode, courier.error, time.monotonic() - started)
    except OSError as error:
        reason = f"the worker could not prepare the run: {error}"
    finally:
        shipper.close()
    if reason is not None:
        failure = {"rank": rank, "time": time.time(), "reason": reason, "tail": last_lines(log)}
        objects.put_json(f"{attempt_prefix(env)}/failures/rank-{rank}.json", failure)
        raise RankFailed(f"rank {rank}: {reason}")


def _reason(returncode: int, error: dict[str, Any] | None, seconds: float) -> str | None:
    if returncode == 0:
        return None
    if returncode < 0:
        try:
            name = signal.Signals(-returncode).name
        except ValueError:
            name = f"signal {-returncode}"
        hint = "; out of memory, or ended by hand" if returncode == -signal.SIGKILL else ""
        return f"killed by {name} after {seconds:.0f} s{hint}"
    if error is not None:
        message = error["message"].strip().splitlines()
        return f"{error['type']}: {message[0] if message else ''}".rstrip(": ")
    return f"exited with code {returncode}"


def _torchrun_environment(env: JobEnvironment, context: Any) -> dict[str, str]:
    """The variables that torchrun sets, with its names."""
    rank, world = context.get_world_rank(), context.get_world_size()
    cpus = max(1, int(env.spec.resources.cpus_per_worker))
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "TRAINYARD_"))}
    return inherited | {
        "OMP_NUM_THREADS": str(cpus),
        "RANK": str(rank),
        "LOCAL_RANK": str(context.get_local_rank()),
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(context.get_local_world_size()),
        "GROUP_RANK": str(context.get_node_rank()),
        "ROLE_RANK": str(rank),
        "ROLE_WORLD_SIZE": str(world),
        "ROLE_NAME": "default",
        "TORCHELASTIC_RUN_ID": env.submission_id,
        "TORCHELASTIC_RESTART_COUNT": str(env.attempt - 1),
        "TORCHELASTIC_MAX_RESTARTS": "0",
        "TORCHELASTIC_USE_AGENT_STORE": "False",
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _trainyard_environment(env: JobEnvironment, objects: Objects, rank: int, records: Path) -> dict[str, str]:
    folder = env.attempt_spool
    variables = {
        **env.spec.env,
        "TRAINYARD_AGENT_PID": str(os.getpid()),
        "TRAINYARD_JOB_ID": env.job_id,
        "TRAINYARD_ATTEMPT": str(env.attempt),
        "TRAINYARD_SPEC": env.spec.model_dump_json(),
        "TRAINYARD_RECORDS": str(records),
        "TRAINYARD_CHECKPOINTS": str(folder / "checkpoints"),
        "TRAINYARD_MODEL_NAME": env.spec.model_name or "",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    }
    run_id = env.mlflow_run_id or (objects.get(f"jobs/{env.job_id}/mlflow_run_id") or b"").decode().strip() or None
    if rank == 0 and run_id and env.mlflow_url:
        # Plain mlflow calls in the user's code land in the job's run ...
        variables |= {"MLFLOW_TRACKING_URI": env.mlflow_url, "MLFLOW_RUN_ID": run_id, "TRAINYARD_MLFLOW_RUN_ID": run_id}
    else:
        # ... once: the other ranks' go to a file that nobody reads.
        variables |= {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow-of-rank-{rank}.db"}
    if env.spec.data_uri:
        variables["TRAINYARD_DATA_PATH"] = str(objects.fetch(env.spec.data_uri, env.spool_dir / "downloads"))
    restored = checkpoints.restore(objects, env.job_id, folder / "resume" / f"rank-{rank}")
    if restored:
        variables |= {"TRAINYARD_RESUME_DIR": str(restored.path), "TRAINYARD_RESUME_STEP": str(restored.step)}
    return variables


class Courier:
    """Carries one rank's records to MLflow and the object store while the training process runs."""

    def __init__(
        self, env: JobEnvironment, objects: Objects, rank: int, records: Path, pid: int, run_id: str | None, started_at: float
    ) -> None:
        self._env, self._objects, self._rank = env, objects, rank
        self._reader = RecordReader(records)
        self._system = SystemMetrics(pid, gpus=env.spec.resources.gpus_per_worker > 0)
        run_id = run_id or env.mlflow_run_id
        self._batches = MetricBatches(env.mlflow_url, run_id) if env.mlflow_url and run_id else None
        self._unsent: list[tuple[str, Any]] = []
        self._checkpoints: list[tuple[int, Path]] = []
        self._event = FIRST_EVENT
        self._samples = 0
        self._complaint: str | None = None
        if rank == 0:
            self._add_event("stage", "workers_ready", started_at, {"workers": env.workers})
        #: The last ``error`` record: what the user's code raised.
        self.error: dict[str, Any] | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"courier of rank {rank}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        next_sample = time.monotonic() + 1.0
        while not self._done.wait(SHIP_SECONDS):
            if time.monotonic() >= next_sample:
                next_sample += SAMPLE_SECONDS
                self._sample()
            self._round()

    def _sample(self) -> None:
        if self._batches is None:
            return
        figures = {f"system/rank-{self._rank}/{key}": value for key, value in self._system.sample().items()}
        self._batches.add(figures, step=self._samples, time=time.time())
        self._samples += 1

    def _round(self) -> None:
        for record in self._reader.read():
            self._take(record)
        try:
            while self._unsent:
                self._objects.put_json(*self._unsent[0])
                del self._unsent[0]
            while self._checkpoints:
                step, folder = self._checkpoints[0]
                size = checkpoints.save(self._objects, self._env.job_id, step, folder)
                del self._checkpoints[0]
                self._add_event("checkpoint", f"step {step}", time.time(), {"step": step, "bytes": size})
        except OSError as error:
            self._complain(f"the object store refuses: {error}")
        if self._batches is not None and (problem := self._batches.flush()):
            self._complain(problem)

    def _take(self, record: dict[str, Any]) -> None:
        kind = record["kind"]
        if kind == "error":
            self.error = record
        elif kind == "metrics" and self._batches is not None:
            self._batches.add(record["metrics"], step=record["step"], time=record["time"])
        elif kind == "params" and self._batches is not None:
            self._batches.add_params(record["params"])
        elif kind == "stage":
            self._add_event("stage", record["name"], record["detail"].pop("at", record["time"]), record["detail"])
        elif kind == "checkpoint":
            self._checkpoints.append((record["step"], Path(record["path"])))
        elif kind == "model":
            self._unsent.append((f"{attempt_prefix(self._env)}/model.json", {key: record[key] for key in ("name", "version", "uri")}))

    def _add_event(self, kind: str, name: str, at: float, detail: dict[str, Any]) -> None:
        event = {"seq": self._event, "time": at, "kind": kind, "name": name, "detail": detail}
        self._unsent.append((f"{attempt_prefix(self._env)}/events/{self._event:06d}.json", event))
        self._event += 1

    def _complain(self, problem: str) -> None:
        if problem != self._complaint:
            print(f"rank {self._rank}: {problem}; trying again", file=sys.stderr, flush=True)
        self._complaint = problem

    def close(self) -> None:
        """Carry the rest; gives up after half a minute, and says what stayed in the spool."""
        self._done.set()
        self._thread.join()
        deadline = time.monotonic() + FLUSH_AT_END_SECONDS
        self._sample()
        self._round()
        while (left := self._left()) and time.monotonic() < deadline:
            time.sleep(SHIP_SECONDS)
            self._round()
        if left:
            print(
                f"rank {self._rank}: {left} records could not be sent; they stay in {self._env.attempt_spool}", file=sys.stderr, flush=True
            )
        if self._batches is not None:
            self._batches.close()

    def _left(self) -> int:
        return len(self._unsent) + len(self._checkpoints) + (self._batches.pending if self._batches is not None else 0)
