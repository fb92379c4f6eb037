"""The ready trainers as jobs: two workers on a real Ray head, model and metrics in a real MLflow server."""

import io
import time

import numpy as np
import pandas as pd
import pytest
from tests.support.mlflow_server import MlflowServer
from tests.support.trainer_lab import Lab

pytestmark = pytest.mark.platform

STAGES = ["driver_started", "code_staged", "workers_ready", "train_function_entered", "process_group_formed", "first_step", "last_step"]


@pytest.fixture
def mlflow_client(mlflow: MlflowServer, monkeypatch: pytest.MonkeyPatch):
    import mlflow as package

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    package.set_tracking_uri(mlflow.url)
    return package


def test_digits_are_learned_and_their_model_is_registered(lab: Lab, mlflow_client) -> None:
    submitted = time.time()
    job = lab.submit("image-classification", {"model_name": "digits"})
    result = job.wait()

    assert (result["outcome"], result["model_name"], result["reason"]) == ("succeeded", "digits", None)
    stages = job.stages()
    assert list(stages) == STAGES
    assert submitted < stages["driver_started"]
    assert stages["last_step"] - stages["first_step"] < 60
    assert [event["detail"]["bytes"] > 0 for event in job.events() if event["kind"] == "checkpoint"][-1]
    assert job.objects.get_json(f"{job.prefix}/heartbeat.json")["time"] >= stages["driver_started"]

    metrics = job.metrics(lab.tracking)
    [(_, accuracy)] = metrics["test_accuracy"]
    assert accuracy >= 0.97
    assert len(metrics["validation_accuracy"]) == 15
    losses = metrics["train_loss"]
    assert [step for step, _ in losses] == sorted({step for step, _ in losses}), "each epoch once"
    assert len(losses) == 15
    assert losses[-1][1] < losses[0][1] / 10
    assert {f"system/rank-{rank}/{figure}" for rank in (0, 1) for figure in ("cpu_percent", "memory_mb")} <= set(metrics)
    assert all(0 < value < 16_000 for _, value in metrics["system/rank-1/memory_mb"][:-1])

    assert "epoch 15/15" in job.log(0)
    assert "epoch" not in job.log(1), "one rank reports"
    assert "starting 2 workers" in job.log("driver")

    model = mlflow_client.pyfunc.load_model(f"models:/digits/{result['model_version']}")
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    answers = model.predict(images.reshape(-1, 1, 8, 8).astype(np.float32) / 16).argmax(axis=1)
    assert (answers == labels).mean() >= 0.97
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, 1, 8, 8)
    assert model.input_example.shape == (4, 1, 8, 8)
    version = mlflow_client.MlflowClient().get_model_version("digits", result["model_version"])
    assert version.run_id == job.run_id
    assert version.tags["trainyard.job_id"] == job.job_id

    for rank in (0, 1):
        records = [key for key in job.objects.list(f"{job.prefix}/records/rank-{rank}") if key.endswith(".jsonl")]
        size = int(records[-1].rpartition("/")[2].removesuffix(".jsonl")) + len(job.objects.get(records[-1]) or b"")
        delivered = job.objects.get_json(f"{job.prefix}/records/rank-{rank}/delivered.json")
        assert delivered["offset"] == size, "MLflow has everything"
    left = {key.removeprefix(f"{job.prefix}/").split("/")[0] for key in job.objects.list(job.prefix)}
    assert left == {"events", "heartbeat.json", "logs", "model.json", "records", "result.json"}, "Ray Train's own files are gone"
    assert not (lab.folder / "spool" / job.job_id).exists(), "nothing of an ended job stays on the worker's disk"


def test_a_parquet_table_is_regressed(lab: Lab) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"size": random.normal(size=600), "age": random.normal(size=600), "town": random.choice(["a", "b"], 600)})
    frame["price"] = 3 * frame["size"] - 2 * frame["age"] + 5 * (frame["town"] == "b") + random.normal(scale=0.1, size=600)
    content = io.BytesIO()
    frame.to_parquet(content)

    job = lab.submit("tabular", {"target": "price", "epochs": 15}, data=lab.store_data("houses.parquet", content.getvalue()))
    result = job.wait()

    assert result["outcome"] == "succeeded"
    assert (result["model_name"], result["model_version"]) == ("tabular", "1")
    latest = {row["key"]: row["value"] for row in lab.run(job)["data"]["metrics"]}
    assert latest["test_r2"] > 0.95
