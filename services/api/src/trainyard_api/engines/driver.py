"""What every Ray driver of a job is started with, whichever engine starts it."""

from __future__ import annotations

from trainyard_api.engines.base import Submission
from trainyard_api.failures import FailureKind


def driver_environment(submission: Submission) -> dict[str, str]:
    """The driver's variables. Ray expands ``$NAME`` in them, so that the spec, which is JSON, has its dollars escaped."""
    spec = submission.environment.get("TRAINYARD_SPEC", "").replace("$", "\\u0024")
    return {**submission.environment, "TRAINYARD_SPEC": spec, "TRAINYARD_WORKERS": str(submission.workers)}


def cause_of_words(message: str) -> FailureKind | None:
    """What Ray's words tell of the cause: its memory monitor may end a driver along with the ranks."""
    return FailureKind.OUT_OF_MEMORY if "low on memory" in message.lower() else None


def cause_of_exit(code: int) -> FailureKind | None:
    """What a driver's exit code tells of the cause: one that was killed did not end by the user's doing, whose code runs elsewhere."""
    return FailureKind.INFRASTRUCTURE if code < 0 else None
