"""What jobs leave behind: checkpoints, files of their runs, and stack dumps."""

from __future__ import annotations

from collections.abc import Iterator

from trainyard.calls.base import Calls, given, job_path
from trainyard.models import Artifact, Checkpoint, Stack


class ResultCalls(Calls):
    """Results of jobs."""

    def list_checkpoints(self, job_id: str) -> list[Checkpoint]:
        """The whole checkpoints, newest first."""
        return self._many(Checkpoint, self._http.json("GET", job_path(job_id, "/checkpoints")))

    def download_checkpoint(self, job_id: str, step: int) -> Iterator[bytes]:
        """A checkpoint as a .zip, in parts."""
        return self._http.content(job_path(job_id, f"/checkpoints/{step}/download"))

    def list_artifacts(self, job_id: str, path: str = "") -> list[Artifact]:
        """What a folder of the job's MLflow run holds, by name; `path` is relative to the run, empty for its top."""
        return self._many(Artifact, self._http.json("GET", job_path(job_id, "/artifacts"), params=given(path=path or None)))

    def download_artifact(self, job_id: str, path: str) -> Iterator[bytes]:
        """A file of the job's MLflow run, in parts."""
        return self._http.content(job_path(job_id, "/artifacts/download"), params={"path": path})

    def list_stacks(self, job_id: str, *, attempt: int | None = None) -> list[Stack]:
        """Where the ranks of an attempt that hung stood; of all attempts by default."""
        return self._many(Stack, self._http.json("GET", job_path(job_id, "/stacks"), params=given(attempt=attempt)))
