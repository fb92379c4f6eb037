"""Real jobs through the command line: code of one's own, failures that say why, deadlines, cancelling."""

from pathlib import Path

import httpx
import pytest
from tests.embedded.conftest import CommandLine

from trainyard import Client
from trainyard.embedded.config import PlatformConfig

pytestmark = pytest.mark.platform

_RAISES = """
import os, sys, time
print("rank", os.environ["RANK"], "of", os.environ["WORLD_SIZE"], "argv", sys.argv[1:], flush=True)
if os.environ["RANK"] == "1":
    raise RuntimeError("the second rank is unhappy")
time.sleep(600)
"""
_HANGS = "import time\nprint('hanging', flush=True)\ntime.sleep(600)\n"


def test_second_up_is_refused(trainyard: CommandLine, config: PlatformConfig) -> None:
    refused = trainyard("up")
    assert refused.code == 5
    assert config.url in refused.err
    assert trainyard("status").code == 0


def test_sample_trains_and_registers(trainyard: CommandLine, client: Client, config: PlatformConfig) -> None:
    """The trained model is as good as promised, is in the registry, and the run holds everything."""
    submitted = trainyard("submit", "image-classification", "--workers", "2", "--tag", "team=vision", "--json")
    assert submitted.code == 0, submitted.err
    job_id = submitted.json["id"]
    watched = trainyard("job", job_id, "--watch")
    assert watched.code == 0, watched.out + watched.err
    assert "epoch 15/15" in watched.out
    job = client.get_job(job_id)
    assert (job.state, job.attempt) == ("SUCCEEDED", 1)
    assert job.model is not None
    series = {one.key: one for one in client.get_metrics(job_id).series}
    assert series["test_accuracy"].values[-1] >= 0.97
    assert series["train_loss"].count == 15
    assert any(key.startswith("system/rank-1/") for key in series), "every worker's system metrics are there"
    [version] = [one for one in client.list_models() if one.job_id == job_id]
    assert (version.name, version.version) == (job.model.name, job.model.version)
    run = httpx.get(f"{config.mlflow_url}/api/2.0/mlflow/runs/get", params={"run_id": job.mlflow_run_id}, trust_env=False).json()["run"]
    assert run["info"]["status"] == "FINISHED"
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert tags["trainyard.job_id"] == job_id
    assert tags["trainyard.template"] == "image-classification"
    assert tags["trainyard.engine"] == "local"
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


def test_failure_names_the_rank_and_its_last_lines(trainyard: CommandLine, client: Client, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(_RAISES)
    arguments = ["--", "--text", "$(id) ; `id`"]
    failed = trainyard("submit", str(tmp_path), "--workers", "2", "--watch", "--json", *arguments)
    assert failed.code == 1, failed.out + failed.err
    [job] = [job for job in client.list_jobs(states=["FAILED"], template="script") if job.code]
    assert job.reason == "rank 1 raised RuntimeError: the second rank is unhappy"
    [attempt] = client.job_attempts(job.id)
    assert attempt.failed_rank == 1
    assert "the second rank is unhappy" in "\n".join(attempt.tail or [])
    log = client.read_log(job.id, rank="0").content
    assert "rank 0 of 2 argv ['--text', '$(id) ; `id`']" in log


def test_a_hang_ends_at_its_deadline(trainyard: CommandLine, client: Client, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(_HANGS)
    failed = trainyard("submit", str(tmp_path), "--name", "hangs", "--deadline", "25s", "--watch")
    assert failed.code == 1, failed.out + failed.err
    [job] = client.list_jobs(query="hangs")
    assert job.reason is not None
    assert "deadline of 25 s" in job.reason


def test_cancelling_a_running_job(trainyard: CommandLine, client: Client, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(_HANGS)
    job_id = trainyard("submit", str(tmp_path), "--json").json["id"]
    for event in client.stream_events(job_id):
        if getattr(event, "name", "") == "RUNNING":
            break
    assert trainyard("cancel", job_id).code == 0
    assert client.wait_for_job(job_id, timeout=60).state == "CANCELLED"


def test_too_many_cpus(trainyard: CommandLine) -> None:
    refused = trainyard("submit", "image-classification", "--workers", "64")
    assert refused.code == 2
    assert "asks for 64 CPUs, this machine has 2" in refused.err
