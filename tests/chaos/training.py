"""Faults of a job's own processes, of the Ray head below them and of the controller; every platform is to survive them in the same way."""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Callable

from tests.chaos.case import Case, Seen
from tests.chaos.yard import Yard


def interrupted(
    yard: Yard,
    fault: Callable[[str], None],
    *,
    steps: int,
    interval: int,
    kind: str = "infrastructure",
    pause: float = 0.1,
    workers: int = 1,
    submit: Callable[..., str] | None = None,
) -> tuple[str, Seen]:
    """A job that checkpoints every ``interval`` steps has the fault at step 25: a second attempt resumes, and everything is whole.

    Returns the job's id and what was seen.
    """
    begun = time.monotonic()
    job_id = (submit or yard.submit)("steps.py", steps, pause, interval, workers=workers)
    yard.await_step(job_id, 1)
    start = time.monotonic() - begun
    yard.await_step(job_id, 25)
    seconds = yard.recovery(job_id, lambda: fault(job_id))
    yard.assert_whole(job_id, steps, attempts=2)
    first = yard.client.job_attempts(job_id)[0]
    assert first.failure_kind == kind, f"the first attempt failed as {first.failure_kind}: {first.reason}"
    step, lost = resumed(yard, job_id)
    assert 0 <= lost <= 2 * interval, f"{lost} steps were lost with a checkpoint every {interval}"
    sentence = (
        f"resumed from step {step}, {lost} steps again; every step of {steps} once; its start had taken {start:.1f} s; {first.reason}"
    )
    return job_id, Seen(sentence, seconds)


def resumed(yard: Yard, job_id: str) -> tuple[int, int]:
    """The step of the one resume, and how many steps were lost."""
    [event] = [one for one in yard.client.job_events(job_id) if one.kind == "resume"]
    return int(event.detail["step"]), int(event.detail["lost_steps"])


def rank_killed(yard: Yard) -> Seen:
    _, seen = interrupted(yard, lambda job_id: yard.signal_rank(job_id, 1, signal.SIGKILL), steps=120, interval=10, workers=2)
    return seen


def rank_of_four_killed(yard: Yard) -> Seen:
    return interrupted(yard, lambda job_id: yard.signal_rank(job_id, 3, signal.SIGKILL), steps=120, interval=10, workers=4)[1]


def rank_hung(yard: Yard) -> Seen:
    def stop(job_id: str) -> None:
        yard.signal_rank(job_id, 1, signal.SIGSTOP)

    job_id, seen = interrupted(yard, stop, steps=400, interval=20, kind="hung", pause=0.25, workers=2)
    stacks = yard.client.list_stacks(job_id, attempt=1)
    assert {one.rank for one in stacks} == {0, 1}, f"stacks of ranks {sorted(one.rank for one in stacks)}"
    return Seen(f"{seen.sentence}; stacks of both ranks are kept", seen.recovery_seconds)


def driver_killed(yard: Yard) -> Seen:
    return interrupted(yard, yard.kill_driver, steps=120, interval=10)[1]


def head_lost(yard: Yard) -> Seen:
    _, seen = interrupted(yard, yard.kill_gcs, steps=200, interval=10)
    yard.await_ready()
    return seen


def program_fails(yard: Yard) -> Seen:
    job_id = yard.submit("fails.py")
    job = yard.ended(job_id)
    [attempt] = yard.client.job_attempts(job_id)
    assert (job.state, attempt.failure_kind) == ("FAILED", "user"), (job.state, attempt.failure_kind, job.reason)
    assert "line 19" in "\n".join(attempt.tail or []), "its last lines are not shown"
    return Seen(f"FAILED after one attempt: {job.reason}; its last {len(attempt.tail or [])} lines are shown")


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


def controller_killed(yard: Yard) -> Seen:
    jobs = []
    for pause in yard.submission_pauses:
        jobs.append(yard.submit("steps.py", 5, 0.05, 5))
        time.sleep(pause)
        yard.kill_controller()
    for job_id in jobs:
        yard.assert_whole(job_id, 5, attempts=1)
    return Seen("three jobs, the controller killed right after each submission: one attempt each")


CASES: list[Case[Yard]] = [
    Case("rank-killed", "SIGKILL of rank 1 of 2", "resumes from the last checkpoint, every step once", rank_killed),
    Case("rank-of-four-killed", "SIGKILL of rank 3 of 4", "resumes from the last checkpoint, every step once", rank_of_four_killed),
    Case("rank-hung", "SIGSTOP of rank 1 of 2", "ended as hung, stacks kept, resumes", rank_hung),
    Case("driver-killed", "SIGKILL of the driver", "resumes, no retry of the job's own spent", driver_killed),
    Case("head-lost", "SIGKILL of the Ray head's gcs_server", "the job resumes on a new one", head_lost),
    Case("program-fails", "exit status 3", "FAILED at once, last lines shown", program_fails),
    Case("log-burst", "100 MB of log at full speed", "every byte is kept", log_burst),
    Case("controller-killed", "SIGKILL of the controller right after a submission, three times", "one attempt each", controller_killed),
]
