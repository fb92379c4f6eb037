"""Faults of the embedded platform's own processes and files, while jobs train and while they are submitted."""

from __future__ import annotations

import signal
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from tests.chaos.case import Case, Seen
from tests.chaos.embedded import EmbeddedYard
from tests.chaos.training import resumed
from tests.support.waiting import wait_for
from trainyard.embedded import lifecycle
from trainyard.embedded.processes import marked_processes
from trainyard.errors import TrainyardError

SUBMITTED = 200


def api_killed(yard: EmbeddedYard) -> Seen:
    job_id = yard.submit("steps.py", 150, 0.1, 20)
    yard.await_step(job_id, 20)
    yard.kill_part("api")
    begun = time.monotonic()
    yard.await_ready()
    seconds = time.monotonic() - begun
    yard.assert_whole(job_id, 150, attempts=1)
    return Seen("training went on, one attempt, every step once", seconds)


def api_silent(yard: EmbeddedYard) -> Seen:
    job_id = yard.submit("steps.py", 150, 0.1, 20)
    yard.await_step(job_id, 20)
    with yard.silenced("api"):
        time.sleep(20)
    yard.assert_whole(job_id, 150, attempts=1)
    return Seen("training went on through 20 s without an API, every step once")


def api_killed_while_submitting(yard: EmbeddedYard) -> Seen:
    blocker = yard.submit("steps.py", 100_000, 0.1, 100_000, workers=2, cpus_per_worker=1)
    yard.await_step(blocker, 1)
    accepted: dict[str, str] = {}
    lock = threading.Lock()

    def submit(key: str) -> None:
        while True:
            try:
                job_id = yard.submit("steps.py", 1, 0, 1, workers=2, cpus_per_worker=1, key=key)
            except TrainyardError:
                time.sleep(0.2)  # as a user would: again, with the same key
                continue
            with lock:
                accepted[key] = job_id
            return

    kills = 0
    with ThreadPoolExecutor(12) as pool:
        waiting = [pool.submit(submit, str(uuid.uuid4())) for _ in range(SUBMITTED)]
        for share in (0.25, 0.6):
            wait_for("some jobs", lambda share=share: len(accepted) >= share * SUBMITTED, seconds=120, every=0.01)
            yard.kill_part("api")
            kills += 1
        for one in waiting:
            one.result(timeout=240)
    yard.await_ready()
    waiting_ids = [job.id for job in yard.client.list_jobs(states=["QUEUED"])]
    for job_id in (*waiting_ids, blocker):
        yard.client.cancel_job(job_id)
    yard.ended(blocker)
    assert len(set(accepted.values())) == SUBMITTED, "two keys gave the same job"
    assert sorted(waiting_ids) == sorted(accepted.values()), f"{len(waiting_ids)} jobs for {len(accepted)} accepted submissions"
    return Seen(f"{SUBMITTED} submissions, {kills} kills of the API: {len(waiting_ids)} jobs, none doubled, none lost")


def mlflow_silent(yard: EmbeddedYard) -> Seen:
    job_id = yard.submit("steps.py", 150, 0.1, 20)
    yard.await_step(job_id, 20)
    begun = time.monotonic()
    with yard.silenced("mlflow"):
        job = yard.ended(job_id)
        seconds = time.monotonic() - begun
    assert job.state == "SUCCEEDED", job.reason
    yard.assert_whole(job_id, 150, attempts=1)
    return Seen(f"trained to its end in {seconds:.0f} s without MLflow; every step there afterwards, once")


def platform_killed(yard: EmbeddedYard) -> Seen:
    job_id = yard.submit("steps.py", 200, 0.1, 10)
    yard.await_step(job_id, 25)
    before = {process.pid for process in marked_processes(yard.config.marker)}
    begun = time.monotonic()
    supervisor = yard.part("supervisor")
    supervisor.kill()
    supervisor.wait(10)
    lifecycle.up(yard.config)
    left = before & {process.pid for process in marked_processes(yard.config.marker)}
    assert not left, f"{len(left)} processes of the killed platform are left"
    yard.await_step(job_id, 30)
    seconds = time.monotonic() - begun
    yard.assert_whole(job_id, 200, attempts=2)
    return Seen("the next `up` ended what was left, and the job resumed", seconds)


def cancelled(yard: EmbeddedYard) -> Seen:
    """Queued, starting and running, one after the other."""
    blocker = yard.submit("steps.py", 100_000, 0.1, 100_000, workers=2, cpus_per_worker=1)
    queued = yard.submit("steps.py", 10, 0.1, 10, workers=2, cpus_per_worker=1)
    yard.client.cancel_job(queued)
    wait_for("the start", lambda: yard.client.get_job(blocker).state == "STARTING", seconds=120, every=0.02)
    yard.client.cancel_job(blocker)
    running = yard.submit("steps.py", 100_000, 0.1, 10)
    yard.await_step(running, 12)
    yard.client.cancel_job(running)
    begun = time.monotonic()
    yard.ended(running)
    seconds = time.monotonic() - begun
    for job_id in (queued, blocker, running):
        assert yard.ended(job_id).state == "CANCELLED", yard.client.get_job(job_id).reason
        yard.assert_gone(job_id)
    yard.await_run(running, "KILLED")
    return Seen(f"all three are CANCELLED, nothing runs; {seconds:.1f} s for the running one; its MLflow run is KILLED")


def checkpoint_damaged(yard: EmbeddedYard) -> Seen:
    job_id = yard.submit("steps.py", 160, 0.25, 20)
    yard.await_step(job_id, 46)
    newest = yard.newest_checkpoint(job_id)
    assert int(newest.name) == 40, f"the newest checkpoint is {newest.name}"
    for file in newest.rglob("*"):
        if file.is_file() and file.name != "manifest.json":
            file.write_bytes(file.read_bytes()[:100])
    seconds = yard.recovery(job_id, lambda: yard.signal_rank(job_id, 0, signal.SIGKILL))
    yard.assert_whole(job_id, 160, attempts=2)
    step, _ = resumed(yard, job_id)
    assert step == 20, f"resumed from {step}"
    notices = [one.name for one in yard.client.job_events(job_id) if "checkpoint of step 40 is damaged" in one.name]
    assert notices, "nothing says that a checkpoint was passed over"
    return Seen(f"resumed from step 20; {notices[0]}", seconds)


CASES: list[Case[EmbeddedYard]] = [
    Case("api-killed", "SIGKILL of the API while a job trains", "training does not notice", api_killed),
    Case("api-silent", "SIGSTOP of the API for 20 s", "training does not notice", api_silent),
    Case(
        "api-killed-submitting",
        "SIGKILL of the API, twice, among 200 submissions",
        "as many jobs as were accepted",
        api_killed_while_submitting,
    ),
    Case("mlflow-silent", "SIGSTOP of MLflow from the middle of a job to its end", "the job succeeds, its metrics follow", mlflow_silent),
    Case("platform-killed", "SIGKILL of the supervisor while a job trains, then `up`", "nothing is left, the job resumes", platform_killed),
    Case("cancelled", "cancelled while queued, starting, running", "CANCELLED, nothing left, run KILLED", cancelled),
    Case(
        "checkpoint-damaged",
        "newest checkpoint cut to 100 bytes, then SIGKILL of the rank",
        "the one before it, and a notice",
        checkpoint_damaged,
    ),
]
