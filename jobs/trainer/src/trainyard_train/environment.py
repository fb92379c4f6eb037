"""What the engine tells the driver, and the driver tells every worker, through TRAINYARD_* variables."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trainyard_templates.runspec import RunSpec


@dataclass(frozen=True)
class JobEnvironment:
    """One attempt of one job. Picklable: the driver sends it to the workers."""

    job_id: str
    attempt: int
    spec: RunSpec
    object_store_url: str
    spool_dir: Path
    mlflow_url: str | None = None
    mlflow_run_id: str | None = None
    #: How many workers were admitted: between the spec's fewest and its workers.
    workers: int = 1
    #: Key prefix of the checkpoint that every rank resumes from; found by the driver.
    resume_key: str | None = None
    #: How long a driver whose ranks were lost waits for the next attempt; 0 where nobody would tell it.
    standby_seconds: float = 0.0

    @property
    def submission_id(self) -> str:
        """The name of this attempt everywhere outside the store."""
        return f"ty-{self.job_id}-{self.attempt}"

    @property
    def is_warm(self) -> bool:
        """Whether this is no job's attempt yet, but a warm cluster, with the spec of nothing but a size, that waits for one."""
        return self.attempt == 0

    @property
    def attempt_spool(self) -> Path:
        """Local folder of this attempt: logs, records, code, checkpoints on their way out."""
        return self.spool_dir / self.job_id / str(self.attempt)

    @property
    def checkpoint_queue(self) -> Path:
        """Local folder of the checkpoints on their way out."""
        return self.attempt_spool / "checkpoints"

    @property
    def attempt_prefix(self) -> str:
        """Where this attempt's objects live."""
        return f"jobs/{self.job_id}/attempts/{self.attempt}"

    def keep_spool(self, what: str) -> None:
        """Leave the attempt's folder on disk at the end: ``what`` in it could not be sent."""
        with (self.attempt_spool / "unsent").open("a") as file:
            file.write(f"{what}\n")

    def drop_spool(self) -> None:
        """Remove the attempt's folder from this machine, unless something in it could not be sent."""
        if not (self.attempt_spool / "unsent").exists():
            shutil.rmtree(self.attempt_spool, ignore_errors=True)
            with contextlib.suppress(OSError):  # the job's folder holds other attempts
                self.attempt_spool.parent.rmdir()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> JobEnvironment:
        """Read the variables.

        Raises:
            ValueError: a variable is missing or the spec is not a RunSpec.
        """
        environ = os.environ if environ is None else environ
        names = ("TRAINYARD_JOB_ID", "TRAINYARD_ATTEMPT", "TRAINYARD_SPEC", "TRAINYARD_OBJECT_STORE_URL", "TRAINYARD_SPOOL_DIR")
        missing = [name for name in names if not environ.get(name)]
        if missing:
            raise ValueError(f"not started by Trainyard: {', '.join(missing)} not set")
        spec = RunSpec.model_validate_json(environ["TRAINYARD_SPEC"])
        return cls(
            job_id=environ["TRAINYARD_JOB_ID"],
            attempt=int(environ["TRAINYARD_ATTEMPT"]),
            spec=spec,
            object_store_url=environ["TRAINYARD_OBJECT_STORE_URL"],
            spool_dir=Path(environ["TRAINYARD_SPOOL_DIR"]),
            mlflow_url=environ.get("TRAINYARD_MLFLOW_URL") or None,
            mlflow_run_id=environ.get("TRAINYARD_MLFLOW_RUN_ID") or None,
            workers=int(environ.get("TRAINYARD_WORKERS") or spec.resources.workers),
            standby_seconds=float(environ.get("TRAINYARD_STANDBY_SECONDS") or 0),
        )
