"""Many short jobs, a few at once, each with a fault drawn by chance, for a bounded time."""

from __future__ import annotations

import contextlib
import random
import signal
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import httpx
import psutil

from tests.chaos.embedded import EmbeddedYard
from trainyard.errors import TrainyardError

T = TypeVar("T")

STEPS = 30
#: How much more memory the API and the controller may take at the end than at the beginning.
_MOST_GROWTH = 1.10
#: Readings of memory at the beginning and at the end that are compared; with fewer than twice as many jobs there is nothing to compare.
_COMPARED = 20
#: Faults by name, and in how many attempts the job then succeeds.
FAULTS: dict[str, tuple[Callable[[EmbeddedYard, str], None], int]] = {
    "none": (lambda yard, job_id: None, 1),
    "rank killed": (lambda yard, job_id: yard.signal_rank(job_id, 0, signal.SIGKILL), 2),
    "driver killed": (lambda yard, job_id: yard.kill_driver(job_id), 2),
    "API killed": (lambda yard, job_id: yard.kill_part("api"), 1),
    "controller killed": (lambda yard, job_id: yard.kill_part("controller"), 1),
    "MLflow killed": (lambda yard, job_id: yard.kill_part("mlflow"), 1),
}


def _patiently(yard: EmbeddedYard, call: Callable[[], T]) -> T:
    """The answer, also when another job's fault takes the API or MLflow away meanwhile."""
    for _ in range(10):
        try:
            return call()
        except (TrainyardError, httpx.HTTPError):
            yard.await_ready()
    return call()


def _memory_mib(yard: EmbeddedYard, name: str) -> float | None:
    """What a part and its own processes take; None while it is being started again."""
    with contextlib.suppress(psutil.Error):
        root = yard.part(name)
        return float(sum(one.memory_info().rss for one in [root, *root.children(recursive=True)])) / 2**20
    return None


def _growth(name: str, readings: list[float]) -> tuple[str, bool]:
    """A part's memory over the soak in a sentence, and whether it grew too much."""
    if len(readings) < 2 * _COMPARED:
        return f"{name}: too few jobs to tell of its memory", False
    before, after = statistics.median(readings[:_COMPARED]), statistics.median(readings[-_COMPARED:])
    return f"{name}: {before:.0f} MiB in the first {_COMPARED} jobs, {after:.0f} in the last {_COMPARED}", after > before * _MOST_GROWTH


def soak(yard: EmbeddedYard, jobs: int, seed: int, minutes: float, at_once: int, say: Callable[[str], None]) -> list[str]:
    """Run them; the failures, a sentence each. Starts no more after so many minutes."""
    chance, deadline = random.Random(seed), time.monotonic() + 60 * minutes
    plans = [(number, chance.choice(list(FAULTS)), 3 + chance.randrange(10)) for number in range(1, jobs + 1)]
    memory: dict[str, list[float]] = {"api": [], "controller": []}

    def one(plan: tuple[int, str, int]) -> str | None:
        number, fault, step = plan
        if time.monotonic() > deadline:
            return None
        inject, attempts = FAULTS[fault]
        try:
            job_id = _patiently(yard, lambda: yard.submit("steps.py", STEPS, 0.1, 5, key=f"soak-{seed}-{number}"))
            yard.await_step(job_id, step)
            inject(yard, job_id)
            yard.ended(job_id)
            _patiently(yard, lambda: yard.assert_whole(job_id, STEPS, attempts=attempts))
        except Exception as error:
            verdict = f"LOST: {error}"
        else:
            verdict = "whole"
        say(f"job {number}: {fault}: {verdict}")
        for name, readings in memory.items():
            if (reading := _memory_mib(yard, name)) is not None:
                readings.append(reading)
        return verdict

    with ThreadPoolExecutor(at_once) as pool:
        verdicts = list(pool.map(one, plans))
    yard.await_ready()
    say(f"{len([one for one in verdicts if one])} of {jobs} jobs, {verdicts.count('whole')} of them whole")
    failures = [
        f"job {number}: {fault}: {verdict}"
        for (number, fault, _), verdict in zip(plans, verdicts, strict=True)
        if verdict not in (None, "whole")
    ]
    for name, readings in memory.items():
        sentence, too_much = _growth(name, readings)
        say(sentence)
        if too_much:
            failures.append(f"{sentence}: more than {_MOST_GROWTH:.0%} of it")
    return failures
