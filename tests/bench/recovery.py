"""A lost worker: from its end to the next step of its job, against Ray Train with retries."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.jobs import WORKERS, WORKLOADS, open_client, ray_job
from tests.bench.pairs import Figure, alternate
from tests.support.waiting import wait_for
from trainyard.embedded.config import PlatformConfig
from trainyard.packing import packed_file

_PROGRAM = WORKLOADS / "all_reduce_steps.py"
#: The worker is killed when it has made so many steps.
_STEPS = 20


@dataclass(frozen=True)
class _Stamp:
    """One step of one rank."""

    rank: int
    pid: int
    step: int
    time: float


def _stamps(path: Path) -> list[_Stamp]:
    """Those that were written so far."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    rows = [line.split() for line in lines if line.endswith("\n")]
    return [_Stamp(int(rank), int(pid), int(step), float(at)) for rank, pid, step, at in rows]


def _recovery(path: Path) -> float:
    """Kill the last rank when it is well under way; seconds until rank 0 has made a step in another process."""

    def killable() -> int | None:
        return next((one.pid for one in _stamps(path) if one.rank == WORKERS - 1 and one.step >= _STEPS), None)

    pid = wait_for("the steps before the loss", killable, seconds=120, every=0.05)
    old = {one.pid for one in _stamps(path)}
    lost = time.time()
    os.kill(pid, signal.SIGKILL)

    def next_step() -> float | None:
        return next((one.time for one in _stamps(path) if one.rank == 0 and one.pid not in old), None)

    return wait_for("the step after the loss", next_step, seconds=120, every=0.05) - lost


@contextlib.contextmanager
def _stamps_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "stamps"


def worker_loss(pairs: int, config: PlatformConfig) -> Figure:
    """Seconds from SIGKILL of one of two ranks to the next step."""
    with open_client(config) as client:
        with packed_file(_PROGRAM) as packed:
            code = client.upload_code(packed.path)

        def ours() -> float:
            with _stamps_file() as stamps:
                parameters = {"entry": _PROGRAM.name, "arguments": [str(stamps)], "workers": WORKERS, "cpus_per_worker": 0.5}
                job = client.submit("script", parameters, code=code.id)
                try:
                    return _recovery(stamps)
                finally:
                    client.cancel_job(job.id)
                    client.wait_for_job(job.id, timeout=120)

        def theirs() -> float:
            name = f"peer-{secrets.token_hex(4)}"
            with _stamps_file() as stamps:
                program = (sys.executable, str(_PROGRAM), str(stamps), str(WORKERS))
                ray_job(config, "submit", "--no-wait", "--submission-id", name, "--", *program)
                try:
                    return _recovery(stamps)
                finally:
                    ray_job(config, "stop", name)

        first, second = alternate("a worker's loss", pairs, ours, theirs)
    peer = "a `TorchTrainer` of the same steps with `max_failures=3`, same Ray head"
    return Figure("A rank killed, until the next step", "s", peer, first, second, goal=1.1)
