"""Drivers that wait for an attempt: one whose ranks were lost for the job's next one, that of a warm cluster for any job's first."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import Any

from trainyard_templates.runspec import RunSpec
from trainyard_train.environment import JobEnvironment
from trainyard_train.objects import Objects
from trainyard_train.ranks import Ranks

_POLL_SECONDS = 0.1
_WARM_POLL_SECONDS = 0.25


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
        word = _word(env, objects)
        if word is not None:
            return _following(env, word)
        time.sleep(_POLL_SECONDS)
    return None


def first_attempt(env: JobEnvironment, objects: Objects, ranks: Ranks) -> JobEnvironment | None:
    """Wait until a job is given to this warm cluster, however long; its environment, or None to end.

    ``ready.json`` says that ``ranks`` are warm. The word is as in `next_attempt`, and has the job's ``job_id``, ``spec`` and
    ``mlflow_run_id``, too. Raises AttemptFailed when the ranks are lost.
    """
    said = False
    while True:
        word = _word(env, objects)
        if word is not None:
            return _following(env, word)
        ranks.check()
        if ranks.warm and not said:
            with contextlib.suppress(OSError):
                objects.put_json(f"{env.attempt_prefix}/ready.json", {"time": time.time()})
                said = True
        time.sleep(_WARM_POLL_SECONDS)


def _word(env: JobEnvironment, objects: Objects) -> dict[str, Any] | None:
    with contextlib.suppress(OSError):
        word: dict[str, Any] | None = objects.get_json(f"{env.attempt_prefix}/next.json")
        return word
    return None


def _following(env: JobEnvironment, word: dict[str, Any]) -> JobEnvironment | None:
    if word["attempt"] is None:
        return None
    following = replace(env, attempt=word["attempt"], workers=word["workers"], resume_key=None)
    if "job_id" not in word:
        return following
    return replace(following, job_id=word["job_id"], spec=RunSpec.model_validate(word["spec"]), mlflow_run_id=word["mlflow_run_id"] or None)
