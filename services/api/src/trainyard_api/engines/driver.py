"""What every Ray driver of a job is started with, whichever engine starts it."""

from __future__ import annotations

import re

from trainyard_api.engines.base import Submission
from trainyard_api.failures import FailureKind


def driver_environment(submission: Submission) -> dict[str, str]:
    """The driver's variables. Ray expands ``$NAME`` in them, so that the spec, which is JSON, has its dollars escaped."""
    spec = submission.environment.get("TRAINYARD_SPEC", "").replace("$", "\\u0024")
    return {**submission.environment, "TRAINYARD_SPEC": spec, "TRAINYARD_WORKERS": str(submission.workers)}


def want_of_memory(message: str) -> str | None:
    """That Ray's memory monitor ended the driver along with the ranks, in a sentence; None when Ray's message says something else."""
    if "low on memory" not in message:
        return None
    used = re.search(r"was ([\d.]+)GB used / ([\d.]+)GB limit", message)
    return f"ran out of memory: {used[1]} of {used[2]} GiB were in use where its driver ran" if used else f"ran out of memory: {message}"


def cause_of_exit(code: int) -> FailureKind | None:
    """What a driver's exit code tells of the cause: one that was killed did not end by the user's doing, whose code runs elsewhere."""
    return FailureKind.INFRASTRUCTURE if code < 0 else None
