"""What the trainer could not bring to MLflow reaches the job's run once the attempt is over: all of it, and once."""

import json
import math
from typing import Any

from tests.support.leading import Leader, Yard

from trainyard_api.engines.memory import Script
from trainyard_api.series import kept_series
from trainyard_api.store.states import JobState

S = JobState


def line(kind: str, **fields: Any) -> bytes:
    return json.dumps({"kind": kind, "time": 1_700_000_000.5, **fields}).encode() + b"\n"


def spool(yard: Yard, job_id: str, attempt: int, content: bytes, *, rank: int = 0, delivered: int | None = None, size: int = 10_000) -> str:
    """Put a rank's records into the object store, in chunks that end anywhere."""
    prefix = f"jobs/{job_id}/attempts/{attempt}/records/rank-{rank}"
    for start in range(0, len(content), size):
        yard.objects.put_bytes(f"{prefix}/{start:012d}.jsonl", content[start : start + size])
    if delivered is not None:
        marker = {"offset": delivered, "last_step": 0, "last_steps": {}}
        yard.objects.put_bytes(f"{prefix}/delivered.json", json.dumps(marker).encode())
    return prefix


def settle(yard: Yard, leader: Leader, job_id: str) -> None:
    leader.until_true("the job to be settled", lambda: yard.job(job_id).settled_at)


def test_what_is_left_is_brought_over_before_the_run_is_closed(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(Script(seconds=None))
    leader.until(job_id, S.RUNNING)
    lines = [line("metrics", metrics={"loss": step / 2}, step=step) for step in range(2500)]
    spool(yard, job_id, 1, b"".join(lines), delivered=sum(map(len, lines[:1000])))
    odd = {"odd": math.nan, "infinite": math.inf}
    spool(yard, job_id, 1, line("metrics", metrics=odd, step=1) + line("params", params={"width": "3", "refused": "1"}), rank=1)
    spool(yard, job_id, 1, line("metrics", metrics={"sent": 1.0}, step=1), rank=2, delivered=10_000)
    leader.round()
    [run] = yard.mlflow.of(job_id)
    assert not run.metrics, "the trainer itself is at work"

    yard.mlflow.down = True
    yard.engine.finish(f"ty-{job_id}-1")
    leader.until(job_id, S.SUCCEEDED)
    leader.round()
    assert yard.job(job_id).settled_at is None
    yard.mlflow.down = False
    settle(yard, leader, job_id)

    at = 1_700_000_000_500
    expected = [("loss", step, step / 2, at) for step in range(1000, 2500)]
    expected += [("odd", 1, "NaN", at), ("infinite", 1, 1.7976931348623157e308, at)]
    assert list(run.metrics) == expected
    assert run.params["width"] == "3"
    assert "refused" not in run.params
    assert (run.status, run.ended) == ("FINISHED", True)
    kept = {one.key: one for one in kept_series(yard.objects, job_id, 1, 300) or []}
    assert (kept["loss"].count, kept["loss"].points[-1].value) == (1500, 2499 / 2), "nobody who looks at it later waits for MLflow"


def test_a_lost_attempts_records_reach_the_run_while_the_next_one_runs(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(lambda attempt: Script(seconds=None, writes_result=attempt > 1), retries=3)
    leader.until(job_id, S.RUNNING)
    content = b"".join(line("metrics", metrics={"loss": 1.0}, step=step) for step in range(20))
    # A chunk in the middle was never sent, and the last line was cut off with its writer.
    prefix = spool(yard, job_id, 1, content + b'{"kind": "metr', size=300)
    yard.engine.finish(f"ty-{job_id}-1", failure="its node is gone", writes_result=False)
    leader.until_true("the next attempt", lambda: yard.job(job_id).attempt == 2)
    [run] = yard.mlflow.of(job_id)
    leader.until_true("the points", lambda: run.metrics)
    assert [step for _, step, _, _ in run.metrics] == list(range(20))
    replayed = json.loads(yard.objects.get_bytes(f"{prefix}/replayed.json"))
    assert replayed == {"offset": len(content) + 14}

    run.metrics.clear()
    for _ in range(3):
        leader.round()
    assert not run.metrics, "it is done once"

    # The next attempt finds more on its disk that the first one could not send.
    spool(yard, job_id, 1, line("metrics", metrics={"late": 1.0}, step=20), rank=1)
    yard.engine.finish(f"ty-{job_id}-2")
    settle(yard, leader, job_id)
    assert [key for key, _, _, _ in run.metrics] == ["late"]
