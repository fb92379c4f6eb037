"""The calls that training code can make. Light: torch and mlflow are imported only by the calls that need them."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainyard_train.records import RecordWriter

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Checkpoint:
    """A saved checkpoint: the folder as it was reported, and its step."""

    path: Path
    step: int


@functools.cache
def _records() -> RecordWriter | None:
    path = os.environ.get("TRAINYARD_RECORDS")
    return RecordWriter(Path(path)) if path else None


def rank() -> int:
    """This process's rank among all."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """This process's rank on its machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def world_size() -> int:
    """How many processes train."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def device() -> torch.device:
    """The device of this rank: its GPU where there is one, otherwise the CPU."""
    import torch

    return torch.device("cuda", local_rank()) if torch.cuda.is_available() else torch.device("cpu")


def init_distributed() -> None:
    """Form the process group (nccl on GPUs, otherwise gloo); nothing happens when it is formed or there is one process outside a job."""
    import torch

    if torch.distributed.is_initialized() or "MASTER_ADDR" not in os.environ:
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(device())
        torch.distributed.init_process_group("nccl")
    else:
        torch.distributed.init_process_group("gloo")


def report(metrics: Mapping[str, float], *, step: int, checkpoint: str | os.PathLike[str] | None = None) -> None:
    """Record metrics at a step and, where given, a folder to resume from; returns at once, sending happens outside this process.

    Rank 0 counts; on other ranks the call does nothing. The folder is copied before the call returns.

    Raises:
        ValueError: a metric is not a number, or the checkpoint is not a folder.
    """
    if rank() != 0:
        return
    try:
        figures = {str(key): float(value) for key, value in metrics.items()}
    except (TypeError, ValueError) as error:
        raise ValueError(f"report(metrics): every value must be a number: {error}") from error
    records = _records()
    if records is None:
        print(f"step {step}: {figures}")
        return
    if figures:
        records.write("metrics", metrics=figures, step=int(step))
    if checkpoint is not None:
        source = Path(checkpoint)
        if not source.is_dir():
            raise ValueError(f"report(checkpoint): {source} is not a folder; save the files into one and give that")
        target = Path(os.environ["TRAINYARD_CHECKPOINTS"]) / f"{int(step):012d}"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        records.write("checkpoint", step=int(step), path=str(target))


def resume_checkpoint() -> Checkpoint | None:
    """What an earlier attempt of this job saved last, on every rank's own disk; None on a first start."""
    path, step = os.environ.get("TRAINYARD_RESUME_DIR"), os.environ.get("TRAINYARD_RESUME_STEP")
    return Checkpoint(Path(path), int(step)) if path and step else None


def data_path() -> Path | None:
    """The job's data set as a local file, or None when the job has none."""
    path = os.environ.get("TRAINYARD_DATA_PATH")
    return Path(path) if path else None


def stage(name: str, **detail: Any) -> None:
    """Stamp the job's timeline (rank 0)."""
    records = _records()
    if rank() == 0 and records is not None:
        records.write("stage", name=name, detail=detail)


def log_params(params: Mapping[str, Any]) -> None:
    """Record hyper-parameters that the job's own parameters do not hold (rank 0)."""
    records = _records()
    if rank() == 0 and records is not None:
        records.write("params", params={str(key): str(value) for key, value in params.items()})


def log_model(
    model: torch.nn.Module,
    *,
    input_example: Any,
    metrics: Mapping[str, float] | None = None,
    name: str | None = None,
    extra_files: list[str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> str | None:
    """Log a PyTorch model to the job's MLflow run and register it (rank 0); its URI, or None where MLflow has no part.

    Args:
        model: the module, not its DDP wrapper; it is put on the CPU and in evaluation mode.
        input_example: an array of inputs, first dimension the batch; the signature comes from it.
        metrics: figures kept with the model.
        name: name in the registry; the job's model name when None, not registered when neither is set.
        extra_files: paths to keep beside the model.
        tags: kept with the model version.
    """
    if rank() != 0 or "TRAINYARD_JOB_ID" not in os.environ:
        return None
    if not os.environ.get("MLFLOW_TRACKING_URI", "").startswith("http"):
        print("the job has no MLflow run yet: the model is not logged")
        return None
    import mlflow

    model = model.cpu().eval()
    registered = name or os.environ.get("TRAINYARD_MODEL_NAME") or None
    active = mlflow.active_run() or mlflow.start_run(run_id=os.environ["TRAINYARD_MLFLOW_RUN_ID"])
    info = mlflow.pytorch.log_model(
        model,
        name="model",
        input_example=input_example,
        registered_model_name=registered,
        extra_files=extra_files,
        export_model=False,
        serialization_format="pickle",
        await_registration_for=60,
    )
    client = mlflow.MlflowClient()
    if metrics:
        mlflow.log_metrics({key: float(value) for key, value in metrics.items()}, model_id=info.model_id, run_id=active.info.run_id)
    version = info.registered_model_version
    if registered and version is not None:
        for key, value in {"trainyard.job_id": os.environ["TRAINYARD_JOB_ID"], **(tags or {})}.items():
            client.set_model_version_tag(registered, str(version), key, value)
    records = _records()
    if records is not None:
        records.write("model", name=registered, version=None if version is None else str(version), uri=info.model_uri)
    return str(info.model_uri)
