"""Which rank is named, and how its end is described."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.support.waiting import wait_for

from trainyard_train.failures import Failure, describe, first_failure, read_failures
from trainyard_train.memory import MemoryReport
from trainyard_train.objects import Objects


def failure(rank: int, time: float, victim: bool = False) -> Failure:
    return Failure(rank, time, "failed", [], victim)


@pytest.mark.parametrize(
    ("failures", "lost", "rank"),
    [
        ([failure(0, 2.0), failure(3, 1.0)], {}, 3),
        ([failure(0, 1.0, victim=True), failure(3, 2.0)], {}, 3),
        ([failure(0, 1.0, victim=True)], {2: "died", 0: "raised"}, 2),
        ([failure(1, 2.0, victim=True), failure(0, 3.0, victim=True)], {0: "raised", 1: "raised"}, 1),
        ([], {4: "died"}, 4),
    ],
    ids=["the earlier one", "not a victim", "a lost worker before its victims", "victims only", "a lost worker alone"],
)
def test_the_cause_is_told_from_what_followed(failures: list[Failure], lost: dict[int, str], rank: int) -> None:
    first = first_failure(failures, lost)
    assert first is not None
    assert first.rank == rank
    assert first_failure([], {}) is None


GIB = 2**30


@pytest.mark.parametrize(
    ("returncode", "error", "killed", "description"),
    [
        (0, None, False, None),
        (3, None, False, ("exited with code 3", "user")),
        (-9, None, True, ("ran out of memory: peak 3.8 GiB of 4.0 GiB", "out_of_memory")),
        (
            -9,
            None,
            False,
            ("was killed by SIGKILL after 61 s, by another process and not for want of memory (peak 3.8 GiB of 4.0 GiB)", "infrastructure"),
        ),
        (
            -9,
            None,
            None,
            ("was killed by SIGKILL after 61 s; whether for want of memory is not known (peak 3.8 GiB of 4.0 GiB)", "infrastructure"),
        ),
        (-15, None, False, ("was killed by SIGTERM after 61 s", "infrastructure")),
        (-11, None, False, ("was killed by SIGSEGV after 61 s", "user")),
        (1, {"type": "KeyError", "message": "'x'", "failure": "user"}, False, ("raised KeyError: 'x'", "user")),
        (
            1,
            {"type": "RuntimeError", "message": "Error(s) in loading:\n\tMissing key(s)", "failure": "user"},
            False,
            ("raised RuntimeError: Error(s) in loading: Missing key(s)", "user"),
        ),
        (1, {"type": "AssertionError", "message": "", "failure": "user"}, False, ("raised AssertionError", "user")),
        (
            1,
            {"type": "MemoryError", "message": "", "failure": "out_of_memory"},
            False,
            ("ran out of memory: peak 3.8 GiB of 4.0 GiB; raised MemoryError", "out_of_memory"),
        ),
    ],
)
def test_an_end_is_described(
    returncode: int, error: dict[str, str] | None, killed: bool | None, description: tuple[str, str] | None
) -> None:
    memory = MemoryReport(peak=int(3.8 * GIB), limit=4 * GIB, killed=killed)
    assert describe(returncode, error, 61.2, memory) == description


@pytest.mark.parametrize(
    ("why", "kind"),
    [
        ("The actor died unexpectedly before finishing this task.", "infrastructure"),
        ("Task was killed due to the node running low on memory.", "out_of_memory"),
    ],
)
def test_a_lost_worker_is_no_fault_of_the_program(why: str, kind: str) -> None:
    first = first_failure([], {4: why})
    assert first is not None
    assert (first.kind, first.reason) == (kind, f"lost its Ray worker: {why}")


def test_failures_are_read_back(tmp_path: Path) -> None:
    objects = Objects(f"file://{tmp_path}")
    written = [Failure(0, 1.5, "exited with code 3", ["a", "b"]), Failure(1, 1.7, "raised X", [], victim=True, kind="infrastructure")]
    for one in written:
        one.save(objects, "attempt")
    assert read_failures(objects, "attempt") == written
    assert read_failures(objects, "other") == []


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_a_guarded_group_ends_with_its_agent(how: str) -> None:
    """Also what the training process started itself, and also when the agent is killed."""
    agent = """
import subprocess, sys, time
from trainyard_train.process_guard import GroupGuard
group = subprocess.Popen(["/bin/sh", "-c", "sleep 1000 & echo $!; wait"], stdout=subprocess.PIPE, start_new_session=True, text=True)
child = group.stdout.readline().strip()
guard = GroupGuard(group.pid)
print(group.pid, child, flush=True)
if sys.stdin.readline().strip() == "close":
    guard.close()
time.sleep(1000)
"""
    with subprocess.Popen([sys.executable, "-c", agent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdin
            assert process.stdout
            guarded = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
            assert all(one.is_running() for one in guarded)
            if how == "closed":
                process.stdin.write("close\n")
                process.stdin.flush()
            else:
                os.kill(process.pid, signal.SIGKILL)
            wait_for("the group to end", lambda: not any(one.is_running() and one.status() != "zombie" for one in guarded))
        finally:
            process.kill()
