"""An engine without Ray, for tests of everything above it: attempts end as a script says, through the same objects."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from trainyard_api.engines.base import Capacity, Engine, EngineStatus, Phase, Submission
from trainyard_api.failures import FailureKind
from trainyard_api.objects.base import ObjectMissing, ObjectStore


@dataclass(frozen=True)
class Script:
    """How one attempt goes: how long it runs (seconds, None: until stopped), and why it fails (None: it succeeds)."""

    seconds: float | None = 0.0
    failure: str | None = None
    #: False: dies without a result object, as a killed driver does.
    writes_result: bool = True
    #: Why it fails, in the result or, without one, as the engine knows it.
    kind: FailureKind = FailureKind.USER
    #: False: lives without a sign of it, as a frozen driver does.
    beats: bool = True
    #: False: goes on when it is asked to stop.
    stops: bool = True
    #: True: its driver, when it has failed, waits to be told of the next attempt.
    stands_by: bool = False


@dataclass
class _Run:
    submission: Submission
    script: Script
    started: float
    phase: Phase = Phase.RUNNING
    #: How it failed, as the engine tells it.
    failure: str | None = None
    kind: FailureKind | None = None
    #: It has failed, or is a warm cluster, and waits to be told of the next attempt.
    standing_by: bool = False


class MemoryEngine(Engine):
    """Keeps its runs in this process; what it was asked is in ``submitted`` and ``stops``."""

    name = "memory"

    def __init__(
        self, objects: ObjectStore, *, script: Callable[[Submission], Script] | None = None, cpus: float = 4, gpus: float = 0
    ) -> None:
        """Run every submission as ``script`` says; by default each succeeds at once."""
        super().__init__()
        self._objects = objects
        self._script = script or (lambda _: Script())
        self._capacity = Capacity(cpus, gpus, 16.0, [{"name": "memory", "cpus": cpus, "gpus": gpus, "memory_gb": 16.0}])
        self._runs: dict[str, _Run] = {}
        self._lock = threading.Lock()
        self.submitted: list[str] = []
        self.stops: list[str] = []

    def submit(self, submission: Submission) -> dict[str, Any]:
        """See Engine."""
        with self._lock:
            if submission.submission_id not in self._runs:
                self.submitted.append(submission.submission_id)
                run = self._runs[submission.submission_id] = _Run(submission, self._script(submission), time.monotonic())
                if submission.attempt:
                    self._stage(submission, 1, "train_function_entered")
                else:  # a warm cluster
                    run.standing_by = True
                    self._put(submission, "ready", {"time": time.time()})
        return {"submission_id": submission.submission_id}

    def carries_on(self, handle: dict[str, Any], *, whole: bool, deadline_seconds: int | None) -> bool:
        """See Engine."""
        with self._lock:
            run = self._runs.get(handle["submission_id"])
            return run is not None and run.standing_by

    def stop(self, handle: dict[str, Any]) -> None:
        """See Engine."""
        with self._lock:
            run = self._runs.get(handle["submission_id"])
            if run is not None and not run.phase.ended:
                self.stops.append(handle["submission_id"])
                if run.script.stops:
                    run.phase = Phase.STOPPED

    def delete(self, handle: dict[str, Any]) -> None:
        """See Engine."""
        with self._lock:
            self._runs.pop(handle["submission_id"], None)

    def finish(
        self, submission_id: str, failure: str | None = None, *, writes_result: bool = True, kind: FailureKind = FailureKind.USER
    ) -> None:
        """End a run now, whatever its script says; nothing happens when it has ended or is gone."""
        with self._lock:
            run = self._runs.get(submission_id)
            if run is not None and run.standing_by:
                run.standing_by, run.phase = False, Phase.FAILED  # it has waited for too long
            elif run is not None and not run.phase.ended:
                self._end(run, failure, kind, writes_result=writes_result)

    def lose(self) -> None:
        """Forget every run, as a restarted head does."""
        with self._lock:
            self._runs.clear()

    @property
    def known(self) -> list[str]:
        """The submissions that were not deleted yet."""
        with self._lock:
            return list(self._runs)

    def submissions(self) -> list[dict[str, Any]]:
        """See Engine."""
        return [{"submission_id": submission_id} for submission_id in self.known]

    def describe(self, handle: dict[str, Any]) -> EngineStatus:
        """See Engine."""
        with self._lock:
            run = self._runs.get(handle["submission_id"])
            if run is None:
                return EngineStatus(Phase.MISSING, "the engine does not know the job", kind=FailureKind.INFRASTRUCTURE)
            if run.standing_by:
                if not run.submission.attempt and run.script.beats:
                    self._put(run.submission, "heartbeat", {"time": time.time()})
                self._hear(run)
            script = run.script
            if not run.phase.ended and not run.standing_by:
                if script.seconds is not None and time.monotonic() - run.started >= script.seconds:
                    self._end(run, script.failure, script.kind, writes_result=script.writes_result)
                elif script.beats:
                    self._put(run.submission, "heartbeat", {"time": time.time()})
            return EngineStatus(run.phase, run.failure, kind=run.kind)

    def last_lines(self, handle: dict[str, Any], count: int = 20) -> list[str]:
        """See Engine."""
        with self._lock:
            return ["the last line"] if handle["submission_id"] in self._runs else []

    def capacity(self) -> Capacity:
        """See Engine."""
        return self._capacity

    def _hear(self, run: _Run) -> None:
        """What the one that stands by is to do next."""
        submission = run.submission
        try:
            word = json.loads(self._objects.get_bytes(f"jobs/{submission.job_id}/attempts/{submission.attempt}/next.json"))
        except ObjectMissing:
            return
        run.standing_by = False
        if word["attempt"] is None:
            run.phase = Phase.FAILED
            return
        run.submission = replace(submission, job_id=word["job_id"], attempt=word["attempt"], workers=word["workers"])
        run.script, run.started, run.failure = self._script(run.submission), time.monotonic(), None
        self._stage(run.submission, 1, "train_function_entered")

    def _end(self, run: _Run, failure: str | None, kind: FailureKind, *, writes_result: bool) -> None:
        run.standing_by = bool(failure) and run.script.stands_by
        if not run.standing_by:
            run.phase = Phase.FAILED if failure else Phase.SUCCEEDED
        run.failure, run.kind = failure, None if writes_result else kind
        if writes_result:
            result: dict[str, Any] = {"outcome": "succeeded", "reason": None, "kind": None, "failed_rank": None, "tail": []}
            if failure:
                result = {"outcome": "failed", "reason": failure, "kind": kind, "failed_rank": 0, "tail": [failure]}
                result["stands_by"] = run.standing_by
            self._put(run.submission, "result", result)

    def _stage(self, submission: Submission, seq: int, name: str) -> None:
        self._put(submission, f"events/{seq:06d}", {"seq": seq, "time": time.time(), "kind": "stage", "name": name, "detail": {}})

    def _put(self, submission: Submission, name: str, content: dict[str, Any]) -> None:
        key = f"jobs/{submission.job_id}/attempts/{submission.attempt}/{name}.json"
        self._objects.put_bytes(key, json.dumps(content).encode())
