"""A rank that hangs is found, what every rank was doing is kept, and the attempt ends with the right rank named."""

import os
import signal
import time

import psutil
import pytest
from tests.support.trainer_lab import Lab
from tests.support.waiting import wait_for

pytestmark = pytest.mark.platform

_CODE = """
import time
import torch, torch.distributed as dist
import trainyard_train as ty

dist.init_process_group("gloo")

def waits_for_the_others():
    dist.all_reduce(torch.ones(1))

def works_on_its_own():
    for _ in range(2_000_000):
        time.sleep(0.05)

waits_for_the_others()
print("formed", flush=True)
waits_for_the_others() if dist.get_rank() == 0 else works_on_its_own()
"""


def test_a_stopped_rank_is_ended_within_a_minute_with_the_stacks_of_all(lab: Lab) -> None:
    job = lab.submit("script", {}, code={"train.py": _CODE})
    for rank in (0, 1):
        job.await_log("formed", rank, seconds=120)
    processes = [psutil.Process(job.training_process(rank)) for rank in (0, 1)]
    stopped_at = time.time()
    os.kill(processes[1].pid, signal.SIGSTOP)

    result = job.wait(180)

    assert (result["failed_rank"], result["kind"]) == (1, "hung"), result
    assert result["reason"].startswith("rank 1 hung: no sign of life for 3")
    found_at = job.objects.get_json(f"{job.prefix}/failures/rank-1.json")["time"]
    assert found_at - stopped_at > 25
    [failure] = [event for event in job.events() if event["kind"] == "failure"]
    assert failure["detail"] == {"rank": 1}
    stacks = {rank: (job.objects.get(f"{job.prefix}/stacks/rank-{rank}.txt") or b"").decode() for rank in (0, 1)}
    assert "state T (stopped by a signal)" in stacks[1]
    assert "in works_on_its_own" in stacks[1]
    assert "in waits_for_the_others" in stacks[0], "the others are seen where they waited for it"
    assert stacks[0].startswith("rank 0 on ")
    assert len(job.objects.list(f"{job.prefix}/failures")) == 1, "those that waited are not blamed"
    wait_for(
        "the processes to end",
        lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes),
        seconds=30,
    )


_STALLS = """
import time
import trainyard_train as ty

def waits_for_what_never_comes():
    while True:
        time.sleep(0.1)

ty.report({"loss": 1.0}, step=1)
waits_for_what_never_comes()
"""


def test_a_rank_that_makes_no_progress_is_ended_where_the_job_asks_for_it(lab: Lab) -> None:
    job = lab.submit("script", {"workers": 1, "stall_seconds": 20}, code={"train.py": _STALLS})
    result = job.wait(180)
    assert (result["failed_rank"], result["kind"]) == (0, "hung"), result
    assert result["reason"].startswith("rank 0 hung: no step and no report for 2")
    assert b"in waits_for_what_never_comes" in (job.objects.get(f"{job.prefix}/stacks/rank-0.txt") or b"")
