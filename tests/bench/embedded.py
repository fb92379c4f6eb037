"""`up` to ready, and idle memory, against a Ray head and an MLflow server started by hand."""

from __future__ import annotations

import time

from tests.bench.by_hand import fresh_platform, memory_mb, ray_and_mlflow
from tests.bench.pairs import Figure, alternate

SETTLE_SECONDS = 15


def start_up(pairs: int) -> Figure:
    """Seconds from `up` to every part ready, on an empty state folder."""

    def ours() -> float:
        begun = time.monotonic()
        with fresh_platform():
            return time.monotonic() - begun

    def theirs() -> float:
        with ray_and_mlflow() as (seconds, _):
            return seconds

    first, second = alternate("up to ready", pairs, ours, theirs)
    note = "`mlflow server` is two processes that import MLflow one after the other; Trainyard's MLflow is one."
    return Figure("`trainyard up` to ready", "s", "`ray start --head` and `mlflow server` by hand", first, second, goal=1.0, note=note)


def idle_memory(pairs: int) -> Figure:
    """MiB of all processes after they settled, nothing submitted."""

    def ours() -> float:
        with fresh_platform() as config:
            time.sleep(SETTLE_SECONDS)
            return memory_mb(config.marker)

    def theirs() -> float:
        with ray_and_mlflow() as (_, marker):
            time.sleep(SETTLE_SECONDS)
            return memory_mb(marker)

    first, second = alternate("idle memory", pairs, ours, theirs)
    note = "Trainyard adds the API, the controller and the supervisor; its MLflow is one process, where `mlflow server` keeps a second one."
    return Figure("Idle memory (PSS)", "MiB", "Ray head and MLflow server alone", first, second, goal=1.08, note=note)
