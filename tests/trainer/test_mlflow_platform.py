"""What user code logs lands in the job's MLflow run once; an MLflow that is away costs nothing but time."""

import pytest
from tests.support.mlflow_server import MlflowServer
from tests.support.trainer_lab import Lab
from tests.support.waiting import wait_for

pytestmark = pytest.mark.platform

_PLAIN = """
import math, pathlib, time
import mlflow, torch, torch.distributed as dist
import trainyard_train as ty

dist.init_process_group("gloo")
mlflow.pytorch.autolog()
with mlflow.start_run() as run:
    mlflow.log_param("from", "user code")
    for step in range(3):
        mlflow.log_metric("plain", step / 10, step=step)
    mlflow.log_text("kept", "notes.txt")
ty.log_params({"width": 3})
ty.report({"odd/nan": math.nan, "odd/infinite": math.inf, "fine": 1.5}, step=1)
dist.barrier()
print("plain calls are done", run.info.run_id, flush=True)
step = 2
while not pathlib.Path(GO).exists():
    ty.report({"during": step}, step=step)
    step += 1
    time.sleep(0.1)
print("last step", step - 1, flush=True)
"""

_LATE = """
import torch
import trainyard_train as ty

ty.report({"early": 1.0}, step=0)
ty.log_model(torch.nn.Linear(2, 1), input_example=torch.ones(2, 2).numpy(), name="late")
"""


def test_metrics_of_user_code_land_once_and_survive_an_outage(lab: Lab, mlflow: MlflowServer) -> None:
    go = lab.folder / "go"
    job = lab.submit("script", {}, code={"train.py": f"GO = {str(go)!r}\n" + _PLAIN})
    job.await_log("plain calls are done", seconds=90)
    job.await_log("plain calls are done", rank=1)
    wait_for("points before the outage", lambda: "during" in job.metrics(lab.tracking))
    mlflow.stop()
    job.await_log("trainyard: MLflow cannot be reached")
    mlflow.start()
    job.await_log("trainyard: metrics: everything is sent again")
    go.touch()
    assert job.wait()["outcome"] == "succeeded"

    assert f"plain calls are done {job.run_id}" in job.log(0), "start_run in user code goes on with the job's run"
    metrics = job.metrics(lab.tracking)
    assert metrics["plain"] == [(0, 0.0), (1, 0.1), (2, 0.2)], "once, not once per rank"
    last = int(job.log(0).split("last step ")[1].split()[0])
    assert [step for step, _ in metrics["during"]] == list(range(2, last + 1)), "no point is missing or doubled"
    assert metrics["fine"] == [(1, 1.5)]
    assert metrics["odd/infinite"][0][1] > 1e308
    assert metrics["odd/nan"][0][1] != metrics["odd/nan"][0][1]
    run = lab.run(job)
    assert {row["key"]: row["value"] for row in run["data"]["params"]} == {"from": "user code", "width": "3"}
    assert run["info"]["lifecycle_stage"] == "active"
    assert lab.count_runs() == lab.made_runs, "user code made no run of its own"


def test_a_job_that_started_without_a_run_finds_it_later(lab: Lab, mlflow: MlflowServer) -> None:
    mlflow.stop()
    try:
        job = lab.submit("script", {"workers": 1}, code={"train.py": _LATE}, run_known=False)
        job.await_log("MLflow has no run for this job yet", seconds=90)
        job.await_log("waiting for MLflow, to log the model")
    finally:
        mlflow.start()
    job.run_id = lab.make_run(job.job_id)
    result = job.wait()

    assert (result["outcome"], result["model_name"], result["model_version"]) == ("succeeded", "late", "1")
    assert job.metrics(lab.tracking)["early"] == [(0, 1.0)]
