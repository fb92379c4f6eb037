"""Metrics over an outage of MLflow, a killed agent and a second attempt: all of them end up in the run, and once."""

import os
import signal

import pytest
from tests.support.mlflow_server import MlflowServer
from tests.support.trainer_lab import Lab
from tests.support.waiting import wait_for

from trainyard_api.controller.metric_replay import MetricReplay
from trainyard_api.objects import open_store

pytestmark = pytest.mark.platform

_CODE = """
import pathlib, sys, time
import trainyard_train as ty

first, last = (1, 40) if not pathlib.Path(GO).exists() else (31, 60)
for step in range(first, last + 1):
    ty.report({"figure": step / 2, "odd/nan": float("nan")}, step=step)
ty.log_params({"width": 3})
print("reported to", last, flush=True)
while not pathlib.Path(GO).exists():
    time.sleep(0.05)
"""


def test_nothing_is_lost_and_nothing_doubled(lab: Lab, mlflow: MlflowServer) -> None:
    go = lab.folder / "go on"
    code = {"train.py": f"GO = {str(go)!r}\n{_CODE}"}
    first = lab.submit("script", {"workers": 1}, code=code)
    first.await_log("reported to 40", seconds=120)
    wait_for("the points", lambda: len(first.metrics(lab.tracking).get("figure", [])) == 40, seconds=60)
    mlflow.stop()
    try:
        os.kill(first.training_process(agent=True), signal.SIGKILL)
        result = first.wait()
        assert result["kind"] == "infrastructure"
        assert result["reason"].startswith("rank 0 lost its Ray worker: ")
        assert "reported to 40" in first.log(0)

        go.touch()
        second = lab.submit("script", {"workers": 1}, code=code, after=first)
        assert second.wait()["outcome"] == "succeeded", "a job ends while MLflow is away"
        assert "trainyard: MLflow cannot be reached" in second.log(0)
        [notice] = [event["name"] for event in second.events() if event["kind"] == "notice"]
        assert notice == "no checkpoint of an earlier attempt: it starts again, 40 was the last step"
    finally:
        mlflow.start()

    assert second.run_id
    store = open_store(lab.objects.url)
    MetricReplay(store, lab.tracking).replay(second.job_id, 2, second.run_id)
    metrics = second.metrics(lab.tracking)
    assert metrics["figure"] == [(step, step / 2) for step in range(1, 61)], "those of both attempts, each once"
    assert [step for step, _ in metrics["odd/nan"]] == list(range(1, 61))
    assert {row["key"]: row["value"] for row in lab.run(second)["data"]["params"]} == {"width": "3"}
    samples = [step for step, _ in metrics["system/rank-0/memory_mb"]]
    assert samples == list(range(len(samples))), "the second attempt counts on"

    # All of it once more, as after a lost answer: MLflow has it already.
    for attempt in (1, 2):
        for marker in ("delivered", "replayed"):
            lab.objects.put_json(f"jobs/{second.job_id}/attempts/{attempt}/records/rank-0/{marker}.json", {"offset": 0})
    MetricReplay(store, lab.tracking).replay(second.job_id, 2, second.run_id)
    again = second.metrics(lab.tracking)
    assert {key: len(points) for key, points in again.items()} == {key: len(points) for key, points in metrics.items()}
