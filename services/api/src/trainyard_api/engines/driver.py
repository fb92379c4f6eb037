"""What every Ray driver of a job is started with, whichever engine starts it."""

from __future__ import annotations

from trainyard_api.engines.base import Submission


def driver_environment(submission: Submission) -> dict[str, str]:
    """The driver's variables. Ray expands ``$NAME`` in them, so that the spec, which is JSON, has its dollars escaped."""
    spec = submission.environment.get("TRAINYARD_SPEC", "").replace("$", "\\u0024")
    return {**submission.environment, "TRAINYARD_SPEC": spec, "TRAINYARD_WORKERS": str(submission.workers)}
