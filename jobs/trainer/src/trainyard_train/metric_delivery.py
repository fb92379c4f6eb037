"""Metrics and parameters to MLflow: read from the rank's records, as far as these are safe in the object store.

Nothing is held in memory but the batch that is being sent. What MLflow would not take stays in the object store, and the
platform's controller sends it when the attempt is over. Sending a point twice stores it once: it keeps its time.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from trainyard_train.environment import JobEnvironment
from trainyard_train.logs import Remarks
from trainyard_train.mlflow_batches import MlflowBatches
from trainyard_train.objects import Objects
from trainyard_train.record_objects import Reported, records_prefix, save_marker
from trainyard_train.records import RecordReader, is_for_mlflow
from trainyard_train.run_identity import RunIdentity

SEND_SECONDS = 0.5
MARK_SECONDS = 10.0


class MetricDelivery:
    """One thread per rank; `close` before it is forgotten."""

    def __init__(
        self,
        env: JobEnvironment,
        objects: Objects,
        rank: int,
        *,
        url: str,
        records: Path,
        shipped: Callable[[], int],
        run: RunIdentity,
        before: Reported,
        remarks: Remarks,
    ) -> None:
        """``shipped`` says how many bytes of ``records`` are in the object store; ``before``: what earlier attempts reported."""
        self._objects, self._run, self._shipped, self._remarks = objects, run, shipped, remarks
        self._prefix = records_prefix(env.job_id, env.attempt, rank)
        self._reader = RecordReader(records, is_for_mlflow)
        self._batches = MlflowBatches(url)
        self._reported = before
        self._marked = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=f"metrics of rank {rank}", daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        next_mark = time.monotonic() + MARK_SECONDS
        while not self._done.wait(SEND_SECONDS):
            self._remarks.trouble("metrics", self._deliver())
            if time.monotonic() >= next_mark:
                next_mark = time.monotonic() + MARK_SECONDS
                self._mark()

    def _deliver(self) -> str | None:
        """Send what there is; the reason when something is left."""
        limit = self._shipped()
        if self._reader.offset >= limit:
            return None
        run_id = self._run.find()
        if run_id is None:
            return "MLflow has no run for this job yet"
        for records in self._reader.pieces(limit):
            problem = self._batches.send(run_id, records)
            if problem is not None and problem.again:
                return problem.text
            if problem is not None:
                self._remarks.say(problem.text)
            for record in records:
                self._reported.take(record)
        return None

    def _mark(self) -> None:
        if self._reader.offset > self._marked:
            with contextlib.suppress(OSError):
                save_marker(self._objects, self._prefix, self._reader.offset, self._reported)
                self._marked = self._reader.offset

    def close(self, seconds: float) -> None:
        """Send what is left, for at most ``seconds``, and write down how far that went."""
        self._done.set()
        self._thread.join()
        deadline = time.monotonic() + seconds
        while self._reader.offset < self._shipped():
            problem = self._deliver()
            self._remarks.trouble("metrics", problem)
            if problem is not None and time.monotonic() > deadline:
                break
            if problem is not None:
                time.sleep(SEND_SECONDS)
        self._mark()
        self._batches.close()
