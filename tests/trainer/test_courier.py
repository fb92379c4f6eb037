"""The way of records: from training code to the object store, and from there to MLflow (a local stand-in that can refuse)."""

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
from trainyard_train import api, checkpoints, records
from trainyard_train.courier import Courier
from trainyard_train.environment import JobEnvironment
from trainyard_train.logs import LogShipper
from trainyard_train.objects import Objects
from trainyard_train.record_objects import Reported, reported_before
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
    monkeypatch.setenv("TRAINYARD_CHECKPOINTS", str(env.checkpoint_queue))
    for cached in (api.records, api._reported_before):
        cached.cache_clear()
    yield env
    for cached in (api.records, api._reported_before):
        cached.cache_clear()


def make_courier(job: JobEnvironment, before: Reported | None = None) -> Courier:
    """A courier of rank 0 that has started."""
    objects = Objects(job.object_store_url)
    log = job.attempt_spool / "rank-0.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    run = RunIdentity(job, objects, job.attempt_spool / "run")
    lines = LogShipper(log, "logs", objects.put)
    records = job.attempt_spool / "records.jsonl"
    one = Courier(job, objects, 0, records=records, log=log, lines=lines, pid=os.getpid(), run=run, before=before)
    one.start()
    return one


@pytest.fixture
def courier(job: JobEnvironment) -> Courier:
    return make_courier(job)


def shipped(job: JobEnvironment) -> bytes:
    """The records in the object store, which must leave no gap."""
    objects, content = Objects(job.object_store_url), b""
    for key in objects.list("jobs/job/attempts/1/records/rank-0"):
        if key.endswith(".jsonl"):
            assert int(Path(key).stem) == len(content)
            content += objects.get(key) or b""
    return content


def marker(job: JobEnvironment) -> Any:
    return Objects(job.object_store_url).get_json("jobs/job/attempts/1/records/rank-0/delivered.json")


def test_everything_arrives_once_the_run_is_known_and_mlflow_answers(courier: Courier, job: JobEnvironment, batches: Batches) -> None:
    log = job.attempt_spool / "rank-0.log"
    batches.status = 503
    for step in range(2500):
        ty.report({"loss": step / 2, "time": step}, step=step)
    wait_for("the complaint", lambda: "no run for this job yet; training goes on" in log.read_text())
    Objects(job.object_store_url).put("jobs/job/mlflow_run_id", b"run-7")
    wait_for("the complaint", lambda: "MLflow answered 503" in log.read_text())
    batches.status = 200
    wait_for("the relief", lambda: "metrics: everything is sent again" in log.read_text())
    assert courier.close()
    assert [row for row in batches.metrics if row[1] == "loss"] == [("run-7", "loss", step, step / 2) for step in range(2500)]
    assert any(row[1] == "system/rank-0/memory_mb" for row in batches.metrics)
    assert (job.attempt_spool / "run").read_text() == "run-7"
    assert shipped(job) == (job.attempt_spool / "records.jsonl").read_bytes()
    assert marker(job)["offset"] == len(shipped(job)), "nothing is left to do for the controller"
    assert (marker(job)["last_step"], marker(job)["last_steps"]["loss"]) == (2499, 2499)


def test_an_mlflow_that_stays_away_holds_up_nothing(courier: Courier, job: JobEnvironment, batches: Batches) -> None:
    Objects(job.object_store_url).put("jobs/job/mlflow_run_id", b"run-7")
    ty.report({"loss": 1.0}, step=1)
    wait_for("the first point", lambda: batches.metrics)
    wait_for("the marker's place", lambda: courier._delivery and courier._delivery._reader.offset)
    batches.status = 503
    ty.report({"loss": 2.0}, step=2)
    assert courier.close(mlflow_seconds=0.5), "the job is over, and what is left is safe"
    content = shipped(job)
    assert content == (job.attempt_spool / "records.jsonl").read_bytes()
    left = content[marker(job)["offset"] :].splitlines()
    assert [json.loads(line)["metrics"] for line in left if b"loss" in line] == [{"loss": 2.0}]


def test_mlflow_gets_only_what_is_in_the_object_store(job: JobEnvironment, batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    Objects(job.object_store_url).put("jobs/job/mlflow_run_id", b"run-7")
    refused: list[str] = []
    put = Objects.put

    def put_no_records(self: Objects, key: str, content: bytes) -> None:
        if key.endswith(".jsonl") and not open_again.is_set():
            refused.append(key)
            raise OSError("full")
        put(self, key, content)

    open_again = threading.Event()
    monkeypatch.setattr(Objects, "put", put_no_records)
    courier = make_courier(job)
    ty.report({"loss": 1.0}, step=1)
    wait_for("some tries", lambda: len(refused) > 3)
    assert not batches.metrics, "an attempt that dies now has reported nothing, and the next one will"
    open_again.set()
    assert courier.close()
    assert ("run-7", "loss", 1, 1.0) in batches.metrics


def test_the_next_attempt_knows_what_was_reported(courier: Courier, job: JobEnvironment, batches: Batches) -> None:
    objects = Objects(job.object_store_url)
    objects.put("jobs/job/mlflow_run_id", b"run-7")
    for step in range(10):
        ty.report({"loss": 1.0, **({"slow": 1.0} if step < 5 else {})}, step=step)
    assert courier.close()
    before = reported_before(objects, "job", 2, 0)
    assert (before.last_step, before.last_steps["loss"], before.last_steps["slow"]) == (9, 9, 4)
    assert before.last_steps["system/rank-0/memory_mb"] >= 0

    # Its agent was killed before it could send all: the rest is read from the records, also when a chunk ends within a line.
    content = shipped(job)
    objects.delete_folder("jobs/job/attempts/1/records")
    for start, end in ((0, 50), (50, len(content) - 30), (len(content) - 30, len(content))):
        objects.put(f"jobs/job/attempts/1/records/rank-0/{start:012d}.jsonl", content[start:end])
    assert reported_before(objects, "job", 2, 0) == before
    first_lines = content.splitlines(keepends=True)
    objects.put_json(
        "jobs/job/attempts/1/records/rank-0/delivered.json",
        {"offset": len(b"".join(first_lines[:3])), "last_step": 2, "last_steps": {"loss": 2, "slow": 2, "older": 7}},
    )
    assert reported_before(objects, "job", 3, 0).last_steps == before.last_steps | {"older": 7}
    assert reported_before(objects, "job", 1, 0) == Reported()


@pytest.mark.parametrize(("resumed", "first"), [(6, 10), (None, 10)], ids=["resumed", "from the beginning"])
def test_a_step_that_an_earlier_attempt_reported_keeps_its_first_value(
    job: JobEnvironment, batches: Batches, monkeypatch: pytest.MonkeyPatch, resumed: int | None, first: int
) -> None:
    reported = job.attempt_spool / "reported.json"
    reported.parent.mkdir(parents=True)
    reported.write_text(json.dumps({"loss": 9}))
    monkeypatch.setenv("TRAINYARD_REPORTED", str(reported))
    if resumed is not None:
        monkeypatch.setenv("TRAINYARD_RESUME_STEP", str(resumed))
    courier = make_courier(job, Reported(9, {"loss": 9, "system/rank-0/memory_mb": 3}))
    Objects(job.object_store_url).put("jobs/job/mlflow_run_id", b"run-7")
    for step in range(resumed or 0, 13):
        ty.report({"loss": 2.0, "new": 1.0}, step=step)
    assert courier.close()
    assert [row[2] for row in batches.metrics if row[1] == "loss"] == list(range(first, 13))
    assert [row[2] for row in batches.metrics if row[1] == "new"] == list(range(resumed or 0, 13))
    assert {row[2] for row in batches.metrics if row[1] == "system/rank-0/memory_mb"} == {4}, "these go on where they stopped"


def test_a_parameter_that_is_refused_takes_nothing_along(courier: Courier, job: JobEnvironment, batches: Batches) -> None:
    Objects(job.object_store_url).put("jobs/job/mlflow_run_id", b"run-7")
    ty.log_params({"taken": 1, "a": 2, "b": 3, "c": 4})
    ty.report({"loss": 1.0}, step=1)
    wait_for("the complaint", lambda: "MLflow refused 1 params" in (job.attempt_spool / "rank-0.log").read_text())
    assert courier.close()
    assert ("run-7", "loss", 1, 1.0) in batches.metrics
    assert batches.params == {"a": "2", "b": "3", "c": "4"}


def test_records_are_read_in_bounded_pieces(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    writer = records.RecordWriter(path)
    for step in range(20_000):
        writer.write("metrics", metrics={"loss": step}, step=step)
    writer.write("params", params={"long": "x" * (2 * records.PIECE_BYTES)})
    with path.open("ab") as file:
        file.write(b'{"kind": "metrics", "cut by a full disk{"kind": "metrics"}\n')
        whole = file.tell()
        file.write(b'{"kind": "metrics", "cut o')
    reader = records.RecordReader(path, records.is_for_mlflow)
    read, largest = [], 0
    for piece in reader.pieces():
        read += [record.get("step") for record in piece]
        largest = max(largest, len(piece))
    assert read == [*range(20_000), None]
    assert largest < 5_000
    assert reader.offset == whole, "a line without its end stays for the next time"


def test_a_checkpoint_is_complete_after_the_metrics_and_lines_before_it(
    job: JobEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who resumes from it never reports its step again; and the machine with the rest may be lost at any moment."""
    order: list[str] = []
    put = Objects.put

    def noted(objects: Objects, key: str, content: bytes) -> None:
        put(objects, key, content)
        order.extend([name for name in ("line of step 3", '"step": 3') if name.encode() in content and "/manifest" not in key] or [key])

    monkeypatch.setattr(Objects, "put", noted)
    courier = make_courier(job)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "weights").write_bytes(b"x")
    with (job.attempt_spool / "rank-0.log").open("a") as log:
        print("line of step 3", file=log)
    ty.report({"loss": 0.5}, step=3, checkpoint=tmp_path / "state")
    wait_for("the checkpoint", lambda: [key for key in order if key.endswith("/manifest.json")])
    assert courier.close()
    [manifest] = [place for place, key in enumerate(order) if key.endswith("/manifest.json")]
    assert {"line of step 3", '"step": 3'} <= set(order[:manifest]), order


def test_a_checkpoint_is_reported(courier: Courier, job: JobEnvironment, batches: Batches, tmp_path: Path) -> None:
    objects = Objects(job.object_store_url)
    folder = ty.checkpoint_folder()
    (folder / "state.pt").write_text("state 3")
    ty.report({"loss": 0.5}, step=3, checkpoint=folder, move=True)
    wait_for("the event", lambda: objects.list("jobs/job/attempts/1/events"))
    objects.put("jobs/job/mlflow_run_id", b"run-7")
    assert courier.close()
    [event] = [objects.get_json(key) for key in objects.list("jobs/job/attempts/1/events")]
    assert (event["kind"], event["name"], event["detail"]["step"], event["detail"]["bytes"]) == ("checkpoint", "step 3", 3, 7)
    assert event["detail"]["seconds"] >= 0
    found = checkpoints.find(objects, "job", tmp_path / "into")
    assert found.key
    assert (checkpoints.fetch_once(objects, found.key, tmp_path / "into") / "state.pt").read_text() == "state 3"
    assert objects.get_json(f"{found.key}/manifest.json")["metrics"] == {"loss": 0.5}


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
