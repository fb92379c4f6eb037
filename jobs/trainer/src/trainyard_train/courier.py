"""Carries what one rank's training process records to MLflow and the object store, while the process runs."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import Any

from trainyard_train import checkpoints
from trainyard_train.environment import JobEnvironment
from trainyard_train.mlflow_batches import MetricBatches
from trainyard_train.objects import Objects
from trainyard_train.records import RecordReader
from trainyard_train.run_identity import RunIdentity
from trainyard_train.system_metrics import SystemMetrics

SHIP_SECONDS = 0.5
SAMPLE_SECONDS = 10.0
FLUSH_AT_END_SECONDS = 30.0
#: Rank 0's events are numbered from here, so that they never meet the driver's.
FIRST_EVENT = 100_001


class Courier:
    """One thread per rank; nothing that refuses to take a record holds up the training."""

    def __init__(self, env: JobEnvironment, objects: Objects, rank: int, *, records: Path, log: Path, pid: int, run: RunIdentity) -> None:
        """Carry ``records`` of process ``pid``; trouble is told in ``log``, which the user reads."""
        self._env, self._objects, self._rank, self._log = env, objects, rank, log
        self._reader = RecordReader(records)
        self._system = SystemMetrics(pid, gpus=env.spec.resources.gpus_per_worker > 0)
        self._batches = MetricBatches(env.mlflow_url, run) if env.mlflow_url else None
        self._unsent: list[tuple[str, Any]] = []
        self._checkpoints: list[tuple[int, Path]] = []
        self._event = FIRST_EVENT
        self._samples = 0
        self._complaint: str | None = None
        #: The last ``error`` record: what the user's code raised.
        self.error: dict[str, Any] | None = None
        self._reading = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"courier of rank {rank}", daemon=True)

    def start(self) -> None:
        """Begin to carry."""
        self._thread.start()

    def add_event(self, kind: str, name: str, at: float, detail: dict[str, Any]) -> None:
        """An event of the attempt's timeline; ``at`` in Unix seconds."""
        event = {"seq": self._event, "time": at, "kind": kind, "name": name, "detail": detail}
        self._unsent.append((f"{self._env.attempt_prefix}/events/{self._event:06d}.json", event))
        self._event += 1

    def read_records(self) -> None:
        """Take in what the training process recorded since the last time."""
        with self._reading:
            for record in self._reader.read():
                self._take(record)

    def close(self) -> bool:
        """Carry the rest; False when it was given up after half a minute, and the rest stays in the spool."""
        self._done.set()
        self._thread.join()
        deadline = time.monotonic() + FLUSH_AT_END_SECONDS
        self._sample()
        self._round()
        while (left := self._left()) and time.monotonic() < deadline:
            time.sleep(SHIP_SECONDS)
            self._round()
        if left:
            self._say(f"{left} records could not be sent in {FLUSH_AT_END_SECONDS:.0f} s; they stay in {self._env.attempt_spool}")
        if self._batches is not None:
            self._batches.close()
        return not left

    def _run(self) -> None:
        next_sample = time.monotonic() + 1.0
        while not self._done.wait(SHIP_SECONDS):
            if time.monotonic() >= next_sample:
                next_sample += SAMPLE_SECONDS
                self._sample()
            self._round()

    def _sample(self) -> None:
        if self._batches is None:
            return
        figures = {f"system/rank-{self._rank}/{key}": value for key, value in self._system.sample().items()}
        self._batches.add(figures, step=self._samples, time=time.time())
        self._samples += 1

    def _round(self) -> None:
        self.read_records()
        problems = [self._send_objects(), self._batches.flush() if self._batches is not None else None]
        problem = "; ".join(problem for problem in problems if problem) or None
        if problem != self._complaint:
            self._say(f"{problem}; training goes on, and it is tried again" if problem else "everything is sent again")
        self._complaint = problem

    def _send_objects(self) -> str | None:
        """Put what waits; the reason when something is left."""
        try:
            while self._unsent:
                self._objects.put_json(*self._unsent[0])
                del self._unsent[0]
            while self._checkpoints:
                step, folder = self._checkpoints[0]
                if len(self._checkpoints) == 1:  # of those that wait, only the newest will ever be resumed from
                    size = checkpoints.save(self._objects, self._env.job_id, step, folder)
                    self.add_event("checkpoint", f"step {step}", time.time(), {"step": step, "bytes": size})
                del self._checkpoints[0]
                shutil.rmtree(folder, ignore_errors=True)
        except OSError as error:
            return f"the object store refuses: {error}"
        return None

    def _take(self, record: dict[str, Any]) -> None:
        kind = record["kind"]
        if kind == "error":
            self.error = record
        elif kind == "metrics" and self._batches is not None:
            self._batches.add(record["metrics"], step=record["step"], time=record["time"])
        elif kind == "params" and self._batches is not None:
            self._batches.add_params(record["params"])
        elif kind == "stage":
            self.add_event("stage", record["name"], record["detail"].pop("at", record["time"]), record["detail"])
        elif kind == "checkpoint":
            self._checkpoints.append((record["step"], Path(record["path"])))
        elif kind == "model":
            self._unsent.append((f"{self._env.attempt_prefix}/model.json", {key: record[key] for key in ("name", "version", "uri")}))

    def _say(self, message: str) -> None:
        with self._log.open("ab", buffering=0) as log:
            log.write(f"trainyard: {message}\n".encode())

    def _left(self) -> int:
        return len(self._unsent) + len(self._checkpoints) + (self._batches.pending if self._batches is not None else 0)
