"""Which MLflow run belongs to the job: told at the start, or found later when MLflow was down at the job's acceptance."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from trainyard_train.environment import JobEnvironment
from trainyard_train.objects import Objects

LOOK_SECONDS = 2.0


class RunIdentity:
    """The run's id, looked for in the object store until it is there, and kept in a local file for the training process."""

    def __init__(self, env: JobEnvironment, objects: Objects, file: Path) -> None:
        self._env, self._objects, self._file = env, objects, file
        self._id: str | None = None
        self._next_look = 0.0
        if env.mlflow_run_id:
            self._keep(env.mlflow_run_id)

    def find(self) -> str | None:
        """The id, or None as long as there is no run; looks at most every two seconds."""
        if self._id is None and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            with contextlib.suppress(OSError):
                found = (self._objects.get(f"jobs/{self._env.job_id}/mlflow_run_id") or b"").decode().strip()
                if found:
                    self._keep(found)
        return self._id

    def _keep(self, run_id: str) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".partial")
        partial.write_text(run_id)
        partial.replace(self._file)
        self._id = run_id
