"""The states of a job, apart from the other models so that the command line need not load pydantic to know them."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    RETRYING = "RETRYING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether the job does nothing more by itself."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
