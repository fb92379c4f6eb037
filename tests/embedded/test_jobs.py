"""Real jobs, from the command line to MLflow: what a user relies on wherever the platform runs.

tests/cluster/release/test_parity.py runs these very tests against a platform in a cluster.
"""

from pathlib import Path

import pytest
from tests.support.site import Site
from tests.support.waiting import wait_for

from trainyard import ApiError

pytestmark = pytest.mark.platform

_RAISES = """
import os, sys, time
print("rank", os.environ["RANK"], "of", os.environ["WORLD_SIZE"], "argv", sys.argv[1:], flush=True)
if os.environ["RANK"] == "1":
    raise RuntimeError("the second rank is unhappy")
time.sleep(600)
"""
_HANGS = "import time\nprint('hanging', flush=True)\ntime.sleep(600)\n"
_FIRST_ATTEMPT = """
import os, sys, time
attempt = int(os.environ["TRAINYARD_ATTEMPT"])
print("this is attempt", attempt)
print("machine", os.uname().nodename, flush=True)
if attempt == 1:
    {course}
"""


def test_sample_trains_and_registers(site: Site) -> None:
    """The trained model is as good as promised, is in the registry, and the run holds everything."""
    client = site.client
    submitted = site.trainyard("submit", "image-classification", "--workers", "2", *site.size_options, "--tag", "team=vision", "--json")
    assert submitted.code == 0, submitted.err
    job_id = submitted.json["id"]
    watched = site.trainyard("job", job_id, "--watch")
    assert watched.code == 0, watched.out + watched.err
    assert "epoch 15/15" in watched.out
    job = client.get_job(job_id)
    assert (job.state, job.attempt) == ("SUCCEEDED", 1)
    assert job.model is not None
    assert job.mlflow_run_id is not None
    series = {one.key: one for one in client.get_metrics(job_id).series}
    assert series["test_accuracy"].values[-1] >= 0.97
    assert series["train_loss"].count == 15
    assert any(key.startswith("system/rank-1/") for key in series), "every worker's system metrics are there"
    [version] = [one for one in client.list_models() if one.job_id == job_id]
    assert (version.name, version.version) == (job.model.name, job.model.version)
    run = site.mlflow_run(job.mlflow_run_id)
    assert run["info"]["status"] == "FINISHED"
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert tags["trainyard.job_id"] == job_id
    assert tags["trainyard.template"] == "image-classification"
    assert tags["trainyard.engine"] == site.engine
    assert tags["team"] == "vision"
    assert {"epochs", "learning_rate", "workers", "seed"} <= {param["key"] for param in run["data"]["params"]}
    stages = [event.name for event in client.job_events(job_id) if event.kind == "stage"]
    assert set(stages) >= {
        "accepted",
        "admitted",
        "driver_started",
        "code_staged",
        "workers_ready",
        "train_function_entered",
        "process_group_formed",
        "first_step",
        "last_step",
        "finished",
    }


def test_failure_names_the_rank_and_its_last_lines(site: Site, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(_RAISES)
    arguments = ["--", "--text", "$(id) ; `id`"]
    named = ("--name", "unhappy")
    failed = site.trainyard("submit", str(tmp_path), "--workers", "2", *named, *site.size_options, "--watch", "--json", *arguments)
    assert failed.code == 1, failed.out + failed.err
    [job] = site.client.list_jobs(query="unhappy")
    assert (job.state, job.reason) == ("FAILED", "rank 1 raised RuntimeError: the second rank is unhappy")
    [attempt] = site.client.job_attempts(job.id)
    assert (attempt.failed_rank, attempt.failure_kind) == (1, "user")
    assert "the second rank is unhappy" in "\n".join(attempt.tail or [])
    log = site.client.read_log(job.id, rank="0").content
    assert "rank 0 of 2 argv ['--text', '$(id) ; `id`']" in log


def test_a_hang_ends_at_its_deadline(site: Site, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(_HANGS)
    failed = site.trainyard("submit", str(tmp_path), "--name", "hangs", *site.size_options, "--deadline", "25s", "--watch")
    assert failed.code == 1, failed.out + failed.err
    [job] = site.client.list_jobs(query="hangs")
    assert job.reason is not None
    assert "deadline of 25 s" in job.reason


def test_cancelling_a_running_job(site: Site, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(_HANGS)
    job_id = site.trainyard("submit", str(tmp_path), *site.size_options, "--json").json["id"]
    for event in site.client.stream_events(job_id):
        if getattr(event, "name", "") == "RUNNING":
            break
    assert site.trainyard("cancel", job_id).code == 0
    assert site.client.wait_for_job(job_id, timeout=120).state == "CANCELLED"


def test_a_job_is_tried_again_as_often_as_it_asks_for_and_then_deleted(site: Site, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(_FIRST_ATTEMPT.format(course="sys.exit(3)"))
    done = site.trainyard("submit", str(tmp_path), "--name", "second try", *site.size_options, "--retries", "1", "--watch")
    assert done.code == 0, done.out + done.err
    [job] = site.client.list_jobs(query="second try")
    first, second = site.client.job_attempts(job.id)
    assert (first.outcome, first.failure_kind, first.reason) == ("failed", "user", "rank 0 exited with code 3")
    assert (second.outcome, second.failure_kind, second.reason) == ("succeeded", None, None)
    for number in (1, 2):
        assert f"this is attempt {number}" in site.client.read_log(job.id, attempt=number, rank="0").content
    assert b"this is attempt 1\n" in b"".join(site.client.download_log(job.id, attempt=1, rank="0"))
    wait_for("the job to be deleted", lambda: site.trainyard("delete", job.id).code == 0, seconds=120, every=1)
    assert list(site.client.list_jobs(query="second try")) == []


def test_a_lost_driver_costs_an_attempt_and_none_of_the_jobs_retries(site: Site, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(_FIRST_ATTEMPT.format(course="time.sleep(600)"))
    job_id = site.trainyard("submit", str(tmp_path), "--name", "lost driver", *site.size_options, "--json").json["id"]
    for entry in site.client.stream_logs(job_id, attempt=1, rank="0"):
        if "this is attempt 1" in getattr(entry, "content", ""):
            break
    site.lose_driver(job_id)
    job = site.client.wait_for_job(job_id, timeout=600)
    attempts = site.client.job_attempts(job_id)
    assert (job.state, job.retries) == ("SUCCEEDED", 0), (job.reason, attempts)
    assert [(one.outcome, one.failure_kind) for one in attempts] == [("failed", "infrastructure"), ("succeeded", None)]


def test_a_killed_rank_costs_an_attempt_and_the_next_one_runs_in_its_place(site: Site, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(_FIRST_ATTEMPT.format(course="os.kill(os.getpid(), 9)"))
    job_id = site.trainyard("submit", str(tmp_path), "--name", "killed rank", *site.size_options, "--json").json["id"]
    job = site.client.wait_for_job(job_id, timeout=600)
    attempts = site.client.job_attempts(job_id)
    assert (job.state, job.retries) == ("SUCCEEDED", 0), (job.reason, attempts)
    assert [(one.outcome, one.failure_kind) for one in attempts] == [("failed", "infrastructure"), ("succeeded", None)]
    machines = [site.client.read_log(job_id, attempt=number, rank="0").content.split("machine ")[1].split()[0] for number in (1, 2)]
    assert machines[0] == machines[1], "in a cluster a pod is a machine"


def test_more_than_there_is_is_refused_at_once(site: Site) -> None:
    refused = site.trainyard("submit", "image-classification", "--workers", "64")
    assert refused.code == 2
    assert "asks for 64 CPUs" in refused.err


def test_the_same_key_is_the_same_job_and_another_body_is_refused(site: Site) -> None:
    ask = {"parameters": {"epochs": 10_000, **site.size}, "name": "one key", "idempotency_key": "parity"}
    first = site.client.submit("image-classification", **ask)
    assert site.client.submit("image-classification", **ask).id == first.id
    with pytest.raises(ApiError, match="Idempotency-Key"):
        site.client.submit("image-classification", **{**ask, "name": "another body"})
    assert site.trainyard("cancel", first.id).code == 0
    assert site.client.wait_for_job(first.id, timeout=120).state == "CANCELLED"
    copy = site.client.clone_job(first.id, {"name": "a copy"})
    assert (copy.template, copy.parameters, copy.name) == (first.template, first.parameters, "a copy")
    site.client.cancel_job(copy.id)
    assert site.client.wait_for_job(copy.id, timeout=120).state == "CANCELLED"
