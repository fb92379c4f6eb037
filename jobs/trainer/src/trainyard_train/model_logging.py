"""Logging a trained model to the job's MLflow run, and registering it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from trainyard_train import life
from trainyard_train.api import rank, records

if TYPE_CHECKING:
    import torch

#: How long a finished training waits for MLflow to come back; its last checkpoint is safe meanwhile.
PATIENCE_SECONDS = 300.0
_POLL_SECONDS = 1.0


class ModelNotLogged(RuntimeError):
    """MLflow did not come back in time."""


def log_model(
    model: torch.nn.Module,
    *,
    input_example: Any,
    metrics: Mapping[str, float] | None = None,
    name: str | None = None,
    extra_files: list[str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> str | None:
    """Log a PyTorch model to the job's MLflow run and register it (rank 0); its URI, or None outside a job.

    It is exported (torch.export), so that it loads without the code that made it; a model that cannot be exported is pickled.

    Args:
        model: the module, not its DDP wrapper; it is put on the CPU and in evaluation mode.
        input_example: an array of inputs, first dimension the batch (at least 2); the signature comes from it.
        metrics: figures kept with the model.
        name: name in the registry; the job's model name when None, not registered when neither is set.
        extra_files: paths to keep beside the model.
        tags: kept with the model version.

    Raises:
        ModelNotLogged: MLflow could not be reached for five minutes.
    """
    url = os.environ.get("TRAINYARD_MLFLOW_URL")
    if rank() != 0 or not url:
        return None
    run_id = _await_run(url, Path(os.environ["TRAINYARD_MLFLOW_RUN_FILE"]))
    import mlflow

    mlflow.set_tracking_uri(url)
    active = mlflow.active_run()
    if active is None or active.info.run_id != run_id:
        mlflow.end_run()
        mlflow.start_run(run_id=run_id)
    registered = name or os.environ.get("TRAINYARD_MODEL_NAME") or None
    info = _log(model.cpu().eval(), input_example, registered, extra_files)
    if metrics:
        mlflow.log_metrics({key: float(value) for key, value in metrics.items()}, model_id=info.model_id, run_id=run_id)
    version = None if info.registered_model_version is None else str(info.registered_model_version)
    if registered and version is not None:
        client = mlflow.MlflowClient()
        for key, value in {"trainyard.job_id": os.environ["TRAINYARD_JOB_ID"], **(tags or {})}.items():
            client.set_model_version_tag(registered, version, key, value)
    writer = records()
    if writer is not None:
        writer.write("model", name=registered, version=version, uri=info.model_uri)
    return str(info.model_uri)


def _log(model: torch.nn.Module, input_example: Any, registered: str | None, extra_files: list[str] | None) -> Any:
    import mlflow
    import torch

    options = {
        "name": "model",
        "input_example": input_example,
        "registered_model_name": registered,
        "extra_files": extra_files,
        "await_registration_for": 60,
    }
    # Given, because MLflow would find them by loading the model in another process.
    requirements = [f"torch=={torch.__version__.partition('+')[0]}", "numpy"]
    try:
        torch.export.export(model, (torch.as_tensor(input_example),))
    except Exception as error:  # whatever the model's code does that torch.export cannot follow
        print(f"the model is pickled, because torch.export refuses it: {str(error).strip().splitlines()[0]}", flush=True)
        return mlflow.pytorch.log_model(model, serialization_format="pickle", **options)
    return mlflow.pytorch.log_model(model, serialization_format="pt2", pip_requirements=requirements, **options)


def _await_run(url: str, run_file: Path) -> str:
    """The run's id, once MLflow answers and the run is known. Raises ModelNotLogged."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    told = False
    while True:
        if run_file.exists() and _answers(url):
            return run_file.read_text().strip()
        if time.monotonic() > deadline:
            raise ModelNotLogged(
                f"MLflow could not be reached for {PATIENCE_SECONDS:.0f} s; retry the job, it goes on from its last checkpoint"
            )
        if not told:
            print("waiting for MLflow, to log the model", flush=True)
            told = True
        life.advance()  # waiting for MLflow is no stall
        time.sleep(_POLL_SECONDS)


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/health", timeout=5) as answer:  # noqa: S310 - the URL is the platform's own
            return bool(answer.status == 200)
    except OSError:
        return False
