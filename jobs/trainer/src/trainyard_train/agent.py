"""The agent of one rank: runs in the Ray Train worker, starts the training process, ships its logs, metrics and checkpoints."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import ray.train

from trainyard_train import checkpoints
from trainyard_train.code_archive import stage_code
from trainyard_train.courier import Courier
from trainyard_train.environment import JobEnvironment
from trainyard_train.failures import Failure, describe
from trainyard_train.logs import LogShipper, last_lines
from trainyard_train.objects import Objects
from trainyard_train.process_guard import GroupGuard
from trainyard_train.run_identity import RunIdentity

#: Ray Train kills the other ranks as soon as one has failed; until then they notice it themselves and their last lines are shipped.
LAST_WORDS_SECONDS = 1.5


class RankFailed(RuntimeError):
    """The training process of one rank ended badly."""


def run_rank(env: JobEnvironment) -> None:
    """Ray Train's training function: one rank from start to end.

    Raises:
        RankFailed: the user's code failed; the reason and the last lines are in the object store by then.
    """
    context = ray.train.get_context()
    rank = context.get_world_rank()
    objects = Objects(env.object_store_url)
    log = env.attempt_spool / "logs" / f"rank-{rank}.log"
    shipper = LogShipper(log, f"{env.attempt_prefix}/logs/rank-{rank}", objects.put)
    try:
        failure = _train(env, objects, context, log)
    except OSError as error:
        failure = Failure(rank, time.time(), f"could not prepare the run: {error}", [])
        failure.save(objects, env.attempt_prefix)
    if failure is not None:
        time.sleep(LAST_WORDS_SECONDS)
    if not shipper.close():
        env.keep_spool(f"the log of rank {rank}")
    if failure is not None:
        raise RankFailed(f"rank {rank} {failure.reason}")


def _train(env: JobEnvironment, objects: Objects, context: Any, log: Path) -> Failure | None:
    """Run the training process; how it failed, already written down, or None. Raises OSError."""
    rank, started, started_at = context.get_world_rank(), time.monotonic(), time.time()
    records = env.attempt_spool / "records" / f"rank-{rank}.jsonl"
    run = RunIdentity(env, objects, records.with_name(f"run-of-rank-{rank}"))
    code = stage_code(env, objects)
    environment = _torchrun_environment(env, context) | _trainyard_environment(env, objects, rank, records, run)
    with log.open("ab", buffering=0) as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-u", "-m", "trainyard_train.training_process"],
            cwd=code,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    guard = GroupGuard(process.pid)
    try:
        courier = Courier(env, objects, rank, records=records, log=log, pid=process.pid, run=run)
        if rank == 0:
            courier.add_event("stage", "workers_ready", started_at, {"workers": env.workers})
        courier.start()
        returncode, ended_at = process.wait(), time.time()
    finally:
        guard.close()  # with whatever the user's code left running
    courier.read_records()
    failure = None
    error = courier.error if returncode == 1 else None
    if reason := describe(returncode, error, time.monotonic() - started):
        at, victim = (error["time"], error["victim"]) if error else (ended_at, False)
        failure = Failure(rank, at, reason, last_lines(log), victim)
        failure.save(objects, env.attempt_prefix)
    if not courier.close():
        env.keep_spool(f"records of rank {rank}")
    return failure


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


def _trainyard_environment(env: JobEnvironment, objects: Objects, rank: int, records: Path, run: RunIdentity) -> dict[str, str]:
    folder = env.attempt_spool
    variables = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
        **env.spec.env,
        "TRAINYARD_AGENT_PID": str(os.getpid()),
        "TRAINYARD_JOB_ID": env.job_id,
        "TRAINYARD_ATTEMPT": str(env.attempt),
        "TRAINYARD_SPEC": env.spec.model_dump_json(),
        "TRAINYARD_RECORDS": str(records),
        "TRAINYARD_CHECKPOINTS": str(folder / "checkpoints"),
        "TRAINYARD_MODEL_NAME": env.spec.model_name or "",
    }
    if env.mlflow_url:
        variables |= {"TRAINYARD_MLFLOW_URL": env.mlflow_url, "TRAINYARD_MLFLOW_RUN_FILE": str(records.with_name(f"run-of-rank-{rank}"))}
    run_id = run.find()
    if rank == 0 and run_id and env.mlflow_url:
        # Plain mlflow calls in the user's code land in the job's run ...
        variables |= {"MLFLOW_TRACKING_URI": env.mlflow_url, "MLFLOW_RUN_ID": run_id}
    else:
        # ... once: the other ranks' go to a file that nobody reads.
        variables |= {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow-of-rank-{rank}.db"}
    if env.spec.data_uri:
        variables["TRAINYARD_DATA_PATH"] = str(objects.fetch(env.spec.data_uri, env.spool_dir / "downloads"))
    restored = checkpoints.restore_once(objects, env.job_id, folder / "resume")
    if restored:
        variables |= {"TRAINYARD_RESUME_DIR": str(restored.path), "TRAINYARD_RESUME_STEP": str(restored.step)}
    return variables
