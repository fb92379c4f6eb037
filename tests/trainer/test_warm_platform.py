"""Warm clusters: drivers and ranks that wait for a job, with PyTorch imported."""

import contextlib
import os
import signal
from collections.abc import Iterator

import psutil
import pytest
from tests.support.trainer_lab import Lab, WarmCluster
from tests.support.waiting import wait_for

from trainyard_api.engines.base import Phase
from trainyard_templates import RunSpec, get
from trainyard_templates.runspec import ResourceSpec

pytestmark = pytest.mark.platform

_SIZE = RunSpec(kind="function", entry="none:none", resources=ResourceSpec(workers=2, cpus_per_worker=1.0))

_SCRIPT = """
import os, sys, pathlib
print("torch was there", "torch" in sys.modules)
print("threads", os.environ["OMP_NUM_THREADS"], "rank", os.environ["RANK"], "of", os.environ["WORLD_SIZE"])
print("argv", sys.argv[1:], "in", pathlib.Path.cwd().name, "mine", os.environ.get("MINE"), "stdin", sys.stdin.read() == "")
import torch
print("device", torch.zeros(1).device, "numpy" in sys.modules)
sys.stderr.write("to stderr\\n")
"""


def script(lab: Lab, text: str = _SCRIPT, **parameters) -> RunSpec:
    kind = get("script")
    code = lab.store_code({"train.py": text})
    return kind.render(kind.validate({"entry": "train.py", "workers": 2, **parameters}), code_uri=code)


def training_processes(lab: Lab) -> list[psutil.Process]:
    found = []
    for pid in lab.ray.process_ids():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.cmdline()[-1:] == ["trainyard_train.training_process"]:
                found.append(process)
    return found


@pytest.fixture
def cluster(lab: Lab) -> Iterator[WarmCluster]:
    """One with both CPUs, gone after the test whatever became of it."""
    cluster = lab.warm(workers=2, cpus_per_worker=1.0)
    cluster.await_ready()
    yield cluster
    lab.engine.stop(cluster.attempt.handle)


def test_a_job_runs_on_a_warm_cluster_as_on_its_own(lab: Lab, cluster: WarmCluster) -> None:
    job = cluster.claim(script(lab, arguments=["--a", "b c"]))
    assert job.wait()["outcome"] == "succeeded"
    cold = lab.submit_spec(script(lab, arguments=["--a", "b c"]))
    assert cold.wait()["outcome"] == "succeeded"
    for rank in (0, 1):
        lines, others = job.log(rank).splitlines(), cold.log(rank).splitlines()
        assert lines[0] == "torch was there True"
        assert others[0] == "torch was there False"
        assert lines[1:] == others[1:]
        assert lines[1] == f"threads 1 rank {rank} of 2"
        assert lines[2] == "argv ['--a', 'b c'] in code mine None stdin True"
    assert [name for name, _ in sorted(job.stages().items(), key=lambda stage: stage[1])][:3] == [
        "driver_started",
        "code_staged",
        "workers_ready",
    ]
    assert training_processes(lab) == []


def test_variables_of_the_users_own_are_there_before_anything_is_imported(lab: Lab, cluster: WarmCluster) -> None:
    job = cluster.claim(script(lab, env={"MINE": "yes"}))
    assert job.wait()["outcome"] == "succeeded"
    lines = job.log().splitlines()
    assert lines[0] == "torch was there False"
    assert "mine yes" in lines[2]
    assert training_processes(lab) == []


def test_a_failure_on_a_warm_cluster_is_told_like_any_other(lab: Lab, cluster: WarmCluster) -> None:
    job = cluster.claim(script(lab, "import sys\nprint('about to fail')\nsys.exit(3)"))
    result = job.wait()
    assert (result["outcome"], result["kind"]) == ("failed", "user")
    assert "exited with code 3" in result["reason"]
    assert result["tail"] == ["about to fail"]


def test_a_process_that_dies_while_it_waits_ends_the_cluster(lab: Lab, cluster: WarmCluster) -> None:
    """The controller replaces it."""
    os.kill(training_processes(lab)[0].pid, signal.SIGKILL)
    wait_for("the end", lambda: lab.engine.describe(cluster.attempt.handle).phase is Phase.FAILED, seconds=60)
    assert training_processes(lab) == []


def test_a_warm_cluster_that_is_not_wanted_any_more_ends(lab: Lab, cluster: WarmCluster) -> None:
    lab.objects.put_json(f"{cluster.attempt.prefix}/next.json", {"attempt": None})
    wait_for("the end", lambda: lab.engine.describe(cluster.attempt.handle).phase is Phase.SUCCEEDED, seconds=30)
    assert training_processes(lab) == []


def test_a_driver_that_is_started_again_does_not_run_the_job_again(lab: Lab, cluster: WarmCluster) -> None:
    """As KubeRay does on a head that took the place of a lost one, after the first has begun."""
    job = cluster.claim(script(lab))
    assert job.wait()["outcome"] == "succeeded"
    lab.engine.delete(cluster.attempt.handle)
    again = lab.submit_spec(_SIZE, job_id=cluster.attempt.job_id, number=0, run_known=False)
    wait_for("its end", lambda: lab.engine.describe(again.handle).phase.ended, seconds=60)
    assert job.log().count("torch was there") == 1


def test_steps_are_signs_of_progress_there_too(lab: Lab, cluster: WarmCluster) -> None:
    """Longer than the job's limit, with no step further apart."""
    text = """
import time, torch
optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
for _ in range(16):
    optimizer.step()
    time.sleep(1)
"""
    job = cluster.claim(script(lab, text, stall_seconds=10))
    assert job.wait()["outcome"] == "succeeded"


def test_a_ready_trainer_ends_with_the_same_weights_warm_and_cold(lab: Lab, cluster: WarmCluster, tmp_path) -> None:
    kind = get("tabular")
    spec = kind.render(kind.validate({"workers": 2, "epochs": 2, "dropout": 0.3, "seed": 7}))
    warm, cold = cluster.claim(spec), lab.submit_spec(spec)
    for job in (warm, cold):
        assert job.wait()["outcome"] == "succeeded"
    assert set(warm.stages()) == set(cold.stages())
    assert {"process_group_formed", "first_step", "last_step"} <= set(warm.stages())
    assert warm.metrics(lab.tracking)["train_loss"] == cold.metrics(lab.tracking)["train_loss"]
