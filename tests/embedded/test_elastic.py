"""A job that asked for two workers and found room for one goes on with two, from a checkpoint, when the other job is gone."""

from pathlib import Path

import pytest

from trainyard import Client
from trainyard.packing import packed_file

pytestmark = pytest.mark.platform

_BLOCKS = """
import time
print("in the way", flush=True)
time.sleep(1200)
"""
#: Every step is a checkpoint; it ends twelve steps after it got its second worker.
_ELASTIC = """
import os, time
import trainyard_train as ty
start = ty.resume_checkpoint()
first = step = start.step if start else 0
workers = int(os.environ["WORLD_SIZE"])
while workers < 2 or step < first + 12:
    step += 1
    time.sleep(0.5)
    folder = ty.checkpoint_folder()
    (folder / "step.txt").write_text(str(step))
    ty.report({"workers": workers}, step=step, checkpoint=folder, move=True)
    print(f"step {step} with {workers}", flush=True)
"""


def submit(client: Client, script: Path, code: str, workers: int) -> str:
    script.write_text(code)
    with packed_file(script) as packed:
        upload = client.upload_code(packed.path).id
    parameters = {"entry": script.name, "workers": workers, "min_workers": 1, "cpus_per_worker": 1}
    return client.submit("script", parameters, code=upload, name=script.stem).id


def await_line(client: Client, job_id: str, text: str) -> None:
    for entry in client.stream_logs(job_id, attempt=1, rank="0"):
        if text in getattr(entry, "content", ""):
            return
    raise AssertionError(f"job {job_id} ended without {text!r}")


def test_an_elastic_job_takes_what_is_free_and_grows(client: Client, tmp_path: Path) -> None:
    other = submit(client, tmp_path / "blocks.py", _BLOCKS, workers=1)
    await_line(client, other, "in the way")
    elastic = submit(client, tmp_path / "elastic.py", _ELASTIC, workers=2)
    await_line(client, elastic, "step 3 with 1")
    client.cancel_job(other)

    job = client.wait_for_job(elastic, timeout=600)

    attempts = client.job_attempts(elastic)
    assert (job.state, job.retries) == ("SUCCEEDED", 0), (job.reason, attempts)
    assert [(one.workers, one.outcome, one.failure_kind) for one in attempts] == [(1, "resized", None), (2, "succeeded", None)]
    [resumed] = [event for event in client.job_events(elastic) if event.kind == "resume"]
    [series] = client.get_metrics(elastic, keys=["workers"]).series
    assert series.steps == list(range(1, resumed.detail["step"] + 13)), "every step once"
    assert (series.values[0], series.values[-1]) == (1, 2)
    assert client.get_job(other).state == "CANCELLED"
