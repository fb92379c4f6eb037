"""The embedded platform under fault: its processes, which are this machine's."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import psutil

from tests.bench.by_hand import fresh_platform
from tests.chaos.yard import Yard
from tests.support.waiting import wait_for
from trainyard.embedded import lifecycle
from trainyard.embedded.config import PlatformConfig
from trainyard.embedded.processes import ProcessTable, marked_processes


class EmbeddedYard(Yard):
    """One embedded platform."""

    size: ClassVar[dict[str, float]] = {"cpus_per_worker": 0.5}

    def __init__(self, config: PlatformConfig) -> None:
        self.config = config
        super().__init__(config.url, config.api_token_file.read_text().strip(), config.mlflow_url)

    # --- processes --------------------------------------------------------------------------------------------------

    def part(self, name: str) -> psutil.Process:
        """The platform's own process with this name: supervisor, ray, mlflow, api or controller."""

        def found() -> psutil.Process | None:
            known = ProcessTable.load(self.config.processes_file)
            if known is None:
                return None
            identity = known.supervisor if name == "supervisor" else known.processes.get(name)
            return identity.process() if identity else None

        return wait_for(f"the process {name}", found, seconds=60, every=0.1)

    def kill_part(self, name: str) -> None:
        """SIGKILL it with all that it started."""
        root = self.part(name)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                process.kill()

    @contextlib.contextmanager
    def silenced(self, name: str) -> Iterator[None]:
        """A part that is there and does nothing: SIGSTOP, and SIGCONT at the end."""
        root = self.part(name)
        frozen = [root, *root.children(recursive=True)]
        try:
            for process in frozen:
                with contextlib.suppress(psutil.Error):
                    process.suspend()
            yield
        finally:
            for process in frozen:
                with contextlib.suppress(psutil.Error):
                    process.resume()

    def signal_rank(self, job_id: str, rank: int, number: signal.Signals) -> None:
        os.kill(
            wait_for(f"rank {rank} of {job_id}", lambda: self._of_job(job_id, "trainyard_train.training_process", rank), seconds=60), number
        )

    def kill_driver(self, job_id: str) -> None:
        os.kill(wait_for(f"the driver of {job_id}", lambda: self._of_job(job_id, "trainyard_train"), seconds=60), signal.SIGKILL)

    def kill_controller(self) -> None:
        self.kill_part("controller")

    def kill_gcs(self, job_id: str) -> None:
        [gcs] = [process for process in marked_processes(self.config.marker) if process.name() == "gcs_server"]
        gcs.kill()

    def _of_job(self, job_id: str, module: str, rank: int | None = None) -> int | None:
        for process in self.processes_of(job_id):
            with contextlib.suppress(psutil.Error):
                if process.cmdline()[-1:] == [module] and (rank is None or process.environ().get("RANK") == str(rank)):
                    return int(process.pid)
        return None

    def left_of(self, job_id: str) -> list[str]:
        return [f"pid {process.pid}" for process in self.processes_of(job_id)]

    def processes_of(self, job_id: str) -> list[psutil.Process]:
        """Every process that was started for this job."""
        found = []
        for process in marked_processes(self.config.marker):
            with contextlib.suppress(psutil.Error):
                if process.environ().get("TRAINYARD_JOB_ID") == job_id:
                    found.append(process)
        return found

    def newest_checkpoint(self, job_id: str) -> Path:
        """The folder of the job's newest checkpoint; its name is the step."""
        folder = self.config.state_dir / "objects" / "jobs" / job_id / "checkpoints"
        return max((one for one in folder.iterdir() if one.name.isdecimal()), key=lambda one: int(one.name))

    def await_ready(self) -> None:
        wait_for("the platform", lambda: lifecycle.status(self.config.state_dir).ready, seconds=240, every=0.5)

    def mend(self) -> None:
        if not lifecycle.status(self.config.state_dir).running:
            lifecycle.up(self.config)
        self.await_ready()


@contextlib.contextmanager
def embedded_yard() -> Iterator[EmbeddedYard]:
    """A platform in a temporary folder."""
    with fresh_platform() as config:
        yield EmbeddedYard(config)
