"""The way of records: from training code to MLflow (a local stand-in that can refuse) and to the object store."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import wait_for

import trainyard_train as ty
from trainyard_templates import RunSpec
from trainyard_train import api, checkpoints
from trainyard_train.courier import Courier
from trainyard_train.environment import JobEnvironment
from trainyard_train.objects import Objects
from trainyard_train.run_identity import RunIdentity


class Batches:
    """Takes log-batch requests; answers with ``status`` and keeps what it accepted."""

    def __init__(self) -> None:
        self.status = 200
        self.metrics: list[tuple[str, str, int, Any]] = []
        self.params: dict[str, str] = {}
        batches = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = 400 if batches.status == 200 and "params" in body and "taken" in str(body["params"]) else batches.status
                if status == 200:
                    rows = body.get("metrics", [])
                    assert len(rows) <= 1000
                    batches.metrics += [(body["run_id"], row["key"], row["step"], row["value"]) for row in rows]
                    batches.params |= {row["key"]: row["value"] for row in body.get("params", [])}
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


@pytest.fixture
def batches() -> Iterator[Batches]:
    one = Batches()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def job(tmp_path: Path, batches: Batches, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobEnvironment]:
    """A job whose training code is this process."""
    url = f"http://127.0.0.1:{batches.server.server_port}"
    env = JobEnvironment("job", 1, RunSpec(kind="script", entry="train.py"), f"file://{tmp_path}/objects", tmp_path / "spool", url)
    monkeypatch.setenv("TRAINYARD_RECORDS", str(env.attempt_spool / "records.jsonl"))
    monkeypatch.setenv("TRAINYARD_CHECKPOINTS", str(env.attempt_spool / "checkpoints"))
    api.records.cache_clear()
    yield env
    api.records.cache_clear()


@pytest.fixture
def courier(job: JobEnvironment) -> Courier:
    objects = Objects(job.object_store_url)
    log = job.attempt_spool / "rank-0.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    run = RunIdentity(job, objects, job.attempt_spool / "run")
    one = Courier(job, objects, 0, records=job.attempt_spool / "records.jsonl", log=log, pid=os.getpid(), run=run)
    one.start()
    return one


def test_everything_arrives_once_the_run_is_known_and_mlflow_answers(courier: Courier, job: JobEnvironment, batches: Batches) -> None:
    log = job.attempt_spool / "rank-0.log"
    batches.status = 503
    for step in range(2500):
        ty.report({"loss": step / 2, "time": step}, step=step)
    wait_for("the complaint", lambda: "no run for this job yet; training goes on" in log.read_text())
    Objects(job.object_store_url).put("jobs/job/mlflow_run_id", b"run-7")
    wait_for("the complaint", lambda: "MLflow answered 503" in log.read_text())
    batches.status = 200
    wait_for("the relief", lambda: "everything is sent again" in log.read_text())
    assert courier.close()
    assert [row for row in batches.metrics if row[1] == "loss"] == [("run-7", "loss", step, step / 2) for step in range(2500)]
    assert any(row[1] == "system/rank-0/memory_mb" for row in batches.metrics)
    assert (job.attempt_spool / "run").read_text() == "run-7"


def test_a_parameter_that_is_refused_takes_no_metric_along(courier: Courier, job: JobEnvironment, batches: Batches) -> None:
    Objects(job.object_store_url).put("jobs/job/mlflow_run_id", b"run-7")
    ty.log_params({"taken": 1})
    ty.report({"loss": 1.0}, step=1)
    wait_for("the complaint", lambda: "MLflow refused 1 params" in (job.attempt_spool / "rank-0.log").read_text())
    assert courier.close()
    assert ("run-7", "loss", 1, 1.0) in batches.metrics


def test_checkpoints_are_copied_at_once_and_only_the_newest_of_those_that_wait_is_sent(
    courier: Courier, job: JobEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = Objects(job.object_store_url)
    open_again = threading.Event()
    save = checkpoints.save

    def save_or_refuse(*arguments: Any) -> int:
        if not open_again.is_set():
            raise OSError("full")
        return save(*arguments)

    monkeypatch.setattr(checkpoints, "save", save_or_refuse)
    source = tmp_path / "state"
    source.mkdir()
    for step in (1, 2, 3):
        (source / "state.pt").write_text(f"state {step}")
        ty.report({}, step=step, checkpoint=source)
    wait_for("the complaint", lambda: "object store refuses: full" in (job.attempt_spool / "rank-0.log").read_text())
    open_again.set()
    wait_for("the checkpoint", lambda: objects.list("jobs/job/checkpoints"))
    Objects(job.object_store_url).put("jobs/job/mlflow_run_id", b"run-7")
    assert courier.close()
    restored = checkpoints.restore(objects, "job", tmp_path / "into")
    assert restored is not None
    assert (restored.step, (restored.path / "state.pt").read_text()) == (3, "state 3")
    [event] = [objects.get_json(key) for key in objects.list("jobs/job/attempts/1/events")]
    assert (event["kind"], event["detail"]) == ("checkpoint", {"step": 3, "bytes": 7})
    assert list((job.attempt_spool / "checkpoints").iterdir()) == [], "no copy stays"


@pytest.mark.parametrize(
    ("metrics", "message"),
    [({"loss[0]": 1}, r"'loss\[0\]' is no name for a metric"), ({"loss": "low"}, "the value of 'loss' must be a number")],
)
def test_a_metric_that_mlflow_would_refuse_is_refused_at_once(job: JobEnvironment, metrics: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ty.report(metrics, step=0)


def test_only_rank_0_reports(job: JobEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    ty.report({"loss": 1.0}, step=1)
    ty.stage("mine")
    ty.log_params({"width": 3})
    assert ty.log_model(None, input_example=None) is None  # type: ignore[arg-type]
    assert not (job.attempt_spool / "records.jsonl").exists() or not (job.attempt_spool / "records.jsonl").read_text()


def test_a_checkpoint_must_be_a_folder(job: JobEnvironment, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone\.pt is not a folder"):
        ty.report({}, step=1, checkpoint=tmp_path / "gone.pt")
