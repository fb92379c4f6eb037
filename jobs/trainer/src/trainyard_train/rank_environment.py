"""The variables of one rank's training process: torchrun's, MLflow's and Trainyard's own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from trainyard_train import checkpoints
from trainyard_train.environment import JobEnvironment
from trainyard_train.objects import Objects
from trainyard_train.record_objects import SYSTEM, Reported
from trainyard_train.run_identity import RunIdentity


def rank_environment(
    env: JobEnvironment, objects: Objects, context: Any, run: RunIdentity, records: Path, before: Reported
) -> dict[str, str]:
    """All variables of the process, whose data and checkpoint are on the disk afterwards. ``context`` is Ray Train's. Raises OSError."""
    return _torchrun(env, context) | _trainyard(env, objects, context.get_world_rank(), run, records, before)


def inherited(cpus: float) -> dict[str, str]:
    """What every training process gets from its worker, and how many threads it may use, whatever it runs."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "TRAINYARD_"))}
    return variables | {"OMP_NUM_THREADS": str(max(1, int(cpus))), "PYTHONUNBUFFERED": "1", "TRAINYARD_AGENT_PID": str(os.getpid())}


def _torchrun(env: JobEnvironment, context: Any) -> dict[str, str]:
    """The variables that torchrun sets, with its names."""
    rank, world = context.get_world_rank(), context.get_world_size()
    return inherited(env.spec.resources.cpus_per_worker) | {
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
    }


def _trainyard(env: JobEnvironment, objects: Objects, rank: int, run: RunIdentity, records: Path, before: Reported) -> dict[str, str]:
    folder = env.attempt_spool
    variables = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
        **env.spec.env,
        "TRAINYARD_JOB_ID": env.job_id,
        "TRAINYARD_ATTEMPT": str(env.attempt),
        "TRAINYARD_SPEC": env.spec.model_dump_json(),
        "TRAINYARD_RECORDS": str(records),
        "TRAINYARD_CHECKPOINTS": str(env.checkpoint_queue),
        "TRAINYARD_MODEL_NAME": env.spec.model_name or "",
    }
    if env.mlflow_url:
        variables |= {"TRAINYARD_MLFLOW_URL": env.mlflow_url, "TRAINYARD_MLFLOW_RUN_FILE": str(records.with_name(f"run-of-rank-{rank}"))}
    run_id = run.find()
    if rank == 0 and run_id and env.mlflow_url:
        # Plain mlflow calls in the user's code land in the job's run ...
        variables |= {"MLFLOW_TRACKING_URI": env.mlflow_url, "MLFLOW_RUN_ID": run_id}
    else:
        # ... once: the other ranks' go to files that nobody reads. The images' MLflow has no other store on disk.
        variables |= {"MLFLOW_TRACKING_URI": (folder / f"mlflow-of-rank-{rank}").as_uri(), "MLFLOW_ALLOW_FILE_STORE": "true"}
    if env.spec.data_uri:
        variables["TRAINYARD_DATA_PATH"] = str(objects.fetch(env.spec.data_uri, env.spool_dir / "downloads"))
    if env.resume_key:
        step = checkpoints.step_of(env.resume_key)
        path = checkpoints.fetch_once(objects, env.resume_key, folder / "resume")
        variables |= {"TRAINYARD_RESUME_DIR": str(path), "TRAINYARD_RESUME_STEP": str(step)}
    last_steps = {key: step for key, step in before.last_steps.items() if not key.startswith(SYSTEM)}
    if last_steps:
        reported = records.with_name(f"reported-before-by-rank-{rank}.json")
        reported.parent.mkdir(parents=True, exist_ok=True)
        reported.write_text(json.dumps(last_steps))
        variables["TRAINYARD_REPORTED"] = str(reported)
    return variables
