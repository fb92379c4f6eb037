"""One short job after another, each with a fault drawn by chance, for a bounded time."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

from tests.chaos.yard import Yard

STEPS = 30
#: Faults by name, and in how many attempts the job then succeeds.
FAULTS: dict[str, tuple[Callable[[Yard, str], None], int]] = {
    "none": (lambda yard, job_id: None, 1),
    "rank killed": (lambda yard, job_id: yard.signal_rank(job_id, 0, signal.SIGKILL), 2),
    "driver killed": (lambda yard, job_id: yard.kill_driver(job_id), 2),
    "API killed": (lambda yard, job_id: yard.kill_part("api"), 1),
    "controller killed": (lambda yard, job_id: yard.kill_part("controller"), 1),
    "MLflow killed": (lambda yard, job_id: yard.kill_part("mlflow"), 1),
}


def soak(yard: Yard, jobs: int, seed: int, minutes: float, say: Callable[[str], None]) -> list[str]:
    """Run them; the failures, a sentence each. Stops after so many minutes, whatever is left."""
    chance, deadline, failures = random.Random(seed), time.monotonic() + 60 * minutes, []
    memory = yard.part("controller").memory_info().rss
    for number in range(1, jobs + 1):
        if time.monotonic() > deadline:
            say(f"{minutes:g} minutes are over after {number - 1} of {jobs} jobs")
            break
        fault = chance.choice(list(FAULTS))
        inject, attempts = FAULTS[fault]
        try:
            job_id = yard.submit("steps.py", STEPS, 0.1, 5)
            yard.await_step(job_id, 3 + chance.randrange(10))
            inject(yard, job_id)
            yard.assert_whole(job_id, STEPS, attempts=attempts)
            yard.await_ready()
            say(f"job {number}: {fault}: whole")
        except Exception as error:
            failures.append(f"job {number}: {fault}: {error}")
            say(failures[-1])
    say(f"the controller's memory went from {memory / 2**20:.0f} to {yard.part('controller').memory_info().rss / 2**20:.0f} MiB")
    return failures
