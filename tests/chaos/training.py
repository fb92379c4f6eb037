"""Faults of the job's own processes and of what they run on."""

from __future__ import annotations

import hashlib
import signal

from tests.chaos.case import Case, Seen
from tests.chaos.yard import Yard


def _resumed(yard: Yard, job_id: str) -> tuple[int, int]:
    """The step of the one resume, and how many steps were lost."""
    [event] = [one for one in yard.client.job_events(job_id) if one.kind == "resume"]
    return int(event.detail["step"]), int(event.detail["lost_steps"])


def _interrupted(yard: Yard, job_id: str, steps: int, kinds: tuple[str, ...], interval: int) -> Seen:
    """After the fault: a second attempt from the last checkpoint, and everything whole."""
    seconds = yard.await_new_step(job_id)
    yard.assert_whole(job_id, steps, attempts=2)
    first = yard.client.job_attempts(job_id)[0]
    assert first.failure_kind in kinds, f"the first attempt failed as {first.failure_kind}: {first.reason}"
    step, lost = _resumed(yard, job_id)
    assert 0 <= lost <= 2 * interval, f"{lost} steps were lost with a checkpoint every {interval}"
    return Seen(f"resumed from step {step}, {lost} steps again; every step of {steps} once; {first.reason}", seconds)


def rank_killed(yard: Yard) -> Seen:
    job_id = yard.submit("steps.py", 120, 0.1, 10, workers=2)
    yard.await_step(job_id, 25)
    yard.signal_rank(job_id, 1, signal.SIGKILL)
    return _interrupted(yard, job_id, 120, ("infrastructure",), 10)


def rank_hung(yard: Yard) -> Seen:
    job_id = yard.submit("steps.py", 400, 0.25, 20, workers=2)
    yard.await_step(job_id, 25)
    yard.signal_rank(job_id, 1, signal.SIGSTOP)
    seen = _interrupted(yard, job_id, 400, ("hung",), 20)
    stacks = yard.client.list_stacks(job_id, attempt=1)
    assert {one.rank for one in stacks} == {0, 1}, f"stacks of ranks {sorted(one.rank for one in stacks)}"
    return Seen(f"{seen.sentence}; stacks of both ranks are kept", seen.recovery_seconds)


def driver_killed(yard: Yard) -> Seen:
    job_id = yard.submit("steps.py", 120, 0.1, 10)
    yard.await_step(job_id, 25)
    yard.kill_driver(job_id)
    return _interrupted(yard, job_id, 120, ("infrastructure",), 10)


def head_lost(yard: Yard) -> Seen:
    job_id = yard.submit("steps.py", 200, 0.1, 10)
    yard.await_step(job_id, 25)
    yard.kill_gcs()
    seen = _interrupted(yard, job_id, 200, ("infrastructure",), 10)
    yard.await_ready()
    return seen


def program_fails(yard: Yard) -> Seen:
    job_id = yard.submit("fails.py")
    job = yard.ended(job_id)
    [attempt] = yard.client.job_attempts(job_id)
    assert (job.state, attempt.failure_kind) == ("FAILED", "user"), (job.state, attempt.failure_kind, job.reason)
    assert "line 19" in "\n".join(attempt.tail or []), "its last lines are not shown"
    return Seen(f"FAILED after one attempt: {job.reason}; its last {len(attempt.tail or [])} lines are shown")


def checkpoint_damaged(yard: Yard) -> Seen:
    job_id = yard.submit("steps.py", 160, 0.25, 20)
    yard.await_step(job_id, 46)
    folder = yard.config.state_dir / "objects" / "jobs" / job_id / "checkpoints"
    newest = max((one for one in folder.iterdir() if one.name.isdecimal()), key=lambda one: int(one.name))
    assert int(newest.name) == 40, f"the newest checkpoint is {newest.name}"
    for file in newest.rglob("*"):
        if file.is_file() and file.name != "manifest.json":
            file.write_bytes(file.read_bytes()[:100])
    yard.signal_rank(job_id, 0, signal.SIGKILL)
    seconds = yard.await_new_step(job_id)
    yard.assert_whole(job_id, 160, attempts=2)
    step, _ = _resumed(yard, job_id)
    assert step == 20, f"resumed from {step}"
    notices = [one.name for one in yard.client.job_events(job_id) if "checkpoint of step 40 is damaged" in one.name]
    assert notices, "nothing says that a checkpoint was passed over"
    return Seen(f"resumed from step 20; {notices[0]}", seconds)


def log_burst(yard: Yard) -> Seen:
    job_id = yard.submit("burst.py", 100)
    job = yard.ended(job_id)
    assert job.state == "SUCCEEDED", job.reason
    content = b"".join(yard.client.download_log(job_id, attempt=1, rank="0"))
    body, _, last = content.rstrip(b"\n").rpartition(b"\n")
    assert last.startswith(b"sha256 "), f"the last line is {last[:80]!r}"
    start = body.index(b"1 x\n")  # what the platform says comes before the program's own
    assert hashlib.sha256(body[start:] + b"\n").hexdigest() == last.removeprefix(b"sha256 ").decode(), "the bytes differ"
    return Seen(f"{len(content) / 1e6:.0f} MB with the program's own SHA-256")


CASES = [
    Case("rank-killed", "SIGKILL of rank 1 of 2", "resumes from the last checkpoint, every step once", rank_killed),
    Case("rank-hung", "SIGSTOP of rank 1 of 2", "ended as hung, stacks kept, resumes", rank_hung),
    Case("driver-killed", "SIGKILL of the driver", "resumes, no retry of the job's own spent", driver_killed),
    Case("head-lost", "SIGKILL of the Ray head's gcs_server", "the head comes back, the job resumes", head_lost),
    Case("program-fails", "exit status 3", "FAILED at once, last lines shown", program_fails),
    Case(
        "checkpoint-damaged",
        "newest checkpoint cut to 100 bytes, then SIGKILL of the rank",
        "the one before it, and a notice",
        checkpoint_damaged,
    ),
    Case("log-burst", "100 MB of log at full speed", "every byte is kept", log_burst),
]
