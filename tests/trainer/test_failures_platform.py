"""However a rank ends, the attempt ends too: with the rank that was the cause, its last lines, and no process left."""

import json
import os
import signal
import textwrap
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.support.trainer_lab import Attempt, Lab
from tests.support.waiting import wait_for

pytestmark = pytest.mark.platform

#: Every rank writes down its own pid, its agent's, and that of a child that would outlive it.
_START = """
import json, os, signal, subprocess, sys, time
import torch, torch.distributed as dist
child = subprocess.Popen(["sleep", "1000"])
dist.init_process_group("gloo")
rank = dist.get_rank()
dist.all_reduce(torch.ones(1))
print(json.dumps({"pid": os.getpid(), "agent": os.getppid(), "child": child.pid}), flush=True)
print("last words of rank", rank, flush=True)
"""


def submit(lab: Lab, code: str) -> Attempt:
    return lab.submit("script", {}, code={"train.py": _START + textwrap.dedent(code)})


def processes(job: Attempt, rank: int) -> dict[str, psutil.Process]:
    """The processes that a rank wrote down."""
    job.await_log("last words", rank)
    [line] = [line for line in job.log(rank).splitlines() if line.startswith("{")]
    return {name: psutil.Process(pid) for name, pid in json.loads(line).items()}


def await_gone(*gone: psutil.Process) -> None:
    wait_for("the processes to end", lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in gone), seconds=60)


def test_a_killed_rank_ends_the_attempt_although_another_hangs(lab: Lab) -> None:
    job = submit(lab, "time.sleep(1000)")
    ranks = [processes(job, rank) for rank in (0, 1)]
    ranks[1]["pid"].kill()

    result = job.wait()

    assert (result["failed_rank"], result["kind"]) == (1, "infrastructure")
    assert result["reason"].startswith("rank 1 was killed by SIGKILL after ")
    assert result["tail"][-1] == "last words of rank 1"
    await_gone(*[one for rank in ranks for one in rank.values()])
    [failure] = [event for event in job.events() if event["kind"] == "failure"]
    assert (failure["name"], failure["detail"]) == (result["reason"], {"rank": 1})


def test_the_rank_that_left_is_named_and_not_those_whose_collective_broke(lab: Lab) -> None:
    job = submit(
        lab,
        """
        if rank == 1:
            sys.exit(3)
        dist.all_reduce(torch.ones(1))
        """,
    )
    result = job.wait()
    assert (result["reason"], result["failed_rank"], result["kind"]) == ("rank 1 exited with code 3", 1, "user")
    assert result["tail"][-1] == "last words of rank 1"
    assert "Traceback" in job.log(0), "the other rank's last words are kept as well"


def test_a_killed_ray_worker_takes_its_training_process_along(lab: Lab) -> None:
    job = submit(lab, "dist.all_reduce(torch.ones(1)) if rank == 0 else time.sleep(1000)")
    ranks = [processes(job, rank) for rank in (0, 1)]
    ranks[1]["agent"].kill()

    result = job.wait()

    assert (result["failed_rank"], result["kind"]) == (1, "infrastructure")
    assert result["reason"].startswith("rank 1 lost its Ray worker: ")
    assert result["tail"][-1] == "last words of rank 1", "what it left on the disk is read and sent"
    assert job.log(1).endswith("last words of rank 1\n")
    await_gone(*[one for rank in ranks for one in rank.values()])


def driver_of(lab: Lab, job_id: str) -> int:
    """The process id of its one driver."""
    found = []
    for pid in lab.ray.process_ids():
        with suppress(psutil.Error):  # it may be gone by now
            process = psutil.Process(pid)
            if process.cmdline()[-2:] == ["-m", "trainyard_train"] and process.environ().get("TRAINYARD_JOB_ID") == job_id:
                found.append(pid)
    [driver] = found
    return driver


def test_a_killed_driver_takes_all_ranks_along(lab: Lab) -> None:
    job = submit(lab, "time.sleep(1000)")
    ranks = [processes(job, rank) for rank in (0, 1)]
    os.kill(driver_of(lab, job.job_id), signal.SIGKILL)

    wait_for("Ray to notice", lambda: job.engine.describe(job.handle).phase.ended, seconds=90)
    await_gone(*[one for rank in ranks for one in rank.values()])
    assert job.result() is None


def test_a_missing_entry_file_is_named(lab: Lab) -> None:
    job = lab.submit("script", {"entry": "train.py"}, code={"other.py": ""})
    result = job.wait()
    assert (result["reason"], result["kind"]) == ("the code has no file 'train.py'", "user")
    assert any("no file 'train.py'" in line for line in result["tail"])


_OUTGROWS = """
import os, pathlib, time
pathlib.Path(GROUP, "cgroup.procs").write_text(str(os.getpid()))
print("moved", flush=True)
time.sleep(10)  # its agent looks every second
held = []
while True:
    held.append(bytearray(b"x" * 2**20))
"""


def test_a_rank_that_the_kernel_kills_for_want_of_memory_is_told_with_its_peak(lab: Lab, memory_group: Path) -> None:
    job = lab.submit("script", {"workers": 1}, code={"train.py": f"GROUP = {str(memory_group)!r}\n{_OUTGROWS}"})
    result = job.wait()
    assert (result["failed_rank"], result["kind"]) == (0, "out_of_memory"), result
    assert result["reason"] == "rank 0 ran out of memory: peak 96 MiB of 96 MiB"
    assert result["tail"][-1] == "moved"
