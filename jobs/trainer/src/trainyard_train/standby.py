"""A driver whose ranks were lost stands by for a moment: what it stands on is ready for the job's next attempt."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import Any

from trainyard_train.environment import JobEnvironment
from trainyard_train.objects import Objects

_POLL_SECONDS = 0.1


def stands_by(env: JobEnvironment, result: dict[str, Any]) -> bool:
    """Whether the attempt with this result may be followed by another one on the same head: it was lost, and by nobody's doing."""
    return env.standby_seconds > 0 and result["outcome"] == "failed" and result["kind"] == "infrastructure"


def next_attempt(env: JobEnvironment, objects: Objects) -> JobEnvironment | None:
    """Wait for the controller's word; the environment of the attempt to run next, or None to end.

    The word is ``next.json`` beside the attempt's result: ``{"attempt": 2, "workers": 1}``, or ``{"attempt": null}``. None, too, when
    there is none within ``standby_seconds``.
    """
    deadline = time.monotonic() + env.standby_seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            word = objects.get_json(f"{env.attempt_prefix}/next.json")
            if word is not None:
                return None if word["attempt"] is None else replace(env, attempt=word["attempt"], workers=word["workers"], resume_key=None)
        time.sleep(_POLL_SECONDS)
    return None
