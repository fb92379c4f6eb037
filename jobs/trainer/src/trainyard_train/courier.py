"""Carries what one rank's training process leaves on its disk to the object store and MLflow, while the process runs."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from trainyard_train.checkpoint_uploader import CheckpointUploader
from trainyard_train.checkpoints import CheckpointStore
from trainyard_train.environment import JobEnvironment
from trainyard_train.logs import LogShipper, Remarks
from trainyard_train.metric_delivery import MetricDelivery
from trainyard_train.objects import Objects
from trainyard_train.record_objects import SYSTEM, Reported, records_prefix
from trainyard_train.records import RecordReader, RecordWriter, is_for_agent
from trainyard_train.run_identity import RunIdentity
from trainyard_train.system_metrics import SystemMetrics

ROUND_SECONDS = 0.5
SAMPLE_SECONDS = 10.0
#: Records are shipped at most this often; MLflow gets them afterwards.
SHIP_SECONDS = 1.0
#: How long the end waits for an object store and for an MLflow that refuse.
STORE_SECONDS = 30.0
MLFLOW_SECONDS = 5.0
#: Rank 0's events are numbered from here, so that they never meet the driver's.
FIRST_EVENT = 100_001
#: More events than this do not wait in memory: they stay in the records' file.
MOST_EVENTS = 1000


class Courier:
    """Threads of one rank; nothing that refuses to take a record holds up the training."""

    def __init__(
        self,
        env: JobEnvironment,
        objects: Objects,
        rank: int,
        *,
        records: Path,
        log: Path,
        lines: LogShipper,
        pid: int,
        run: RunIdentity,
        before: Reported | None = None,
    ) -> None:
        """Carry ``records`` of process ``pid``; trouble is told in ``log``, which ``lines`` ships.

        ``before``: what earlier attempts reported.
        """
        self._env, self._objects, self._rank = env, objects, rank
        self._reader = RecordReader(records, is_for_agent)
        self._writer = RecordWriter(records)
        self._remarks, self._lines = Remarks(log), lines
        self._system = SystemMetrics(pid, gpus=env.spec.resources.gpus_per_worker > 0)
        before = before or Reported()
        known = [step for key, step in before.last_steps.items() if key.startswith(SYSTEM)]
        self._samples = max(known, default=-1) + 1
        self._shipper = LogShipper(
            records, records_prefix(env.job_id, env.attempt, rank), objects.put, suffix=".jsonl", gap=SHIP_SECONDS, piece_bytes=0
        )
        self._delivery = None
        if env.mlflow_url:
            self._delivery = MetricDelivery(
                env,
                objects,
                rank,
                url=env.mlflow_url,
                records=records,
                shipped=lambda: self._shipper.offset,
                run=run,
                before=before,
                remarks=self._remarks,
            )
        self._uploader = None
        if rank == 0:
            store = CheckpointStore(objects, env.job_id, env.attempt, env.spec.checkpoints)
            self._uploader = CheckpointUploader(
                env.checkpoint_queue, store, settled=self._settled, saved=self._saved, remarks=self._remarks
            )
        self._unsent: list[tuple[str, Any]] = []
        self._event = FIRST_EVENT
        self._adding, self._going_round = threading.Lock(), threading.Lock()
        #: The last ``error`` record: what the user's code raised.
        self.error: dict[str, Any] | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"courier of rank {rank}", daemon=True)

    def start(self) -> None:
        """Begin to carry."""
        self._thread.start()

    @property
    def children(self) -> list[int]:
        """The training process's own processes, as far as they are known."""
        return self._system.children

    def add_event(self, kind: str, name: str, at: float, detail: dict[str, Any]) -> None:
        """An event of the attempt's timeline; ``at`` in Unix seconds."""
        with self._adding:
            event = {"seq": self._event, "time": at, "kind": kind, "name": name, "detail": detail}
            self._unsent.append((f"{self._env.attempt_prefix}/events/{self._event:06d}.json", event))
            self._event += 1

    def read_records(self) -> None:
        """Take in what the training process recorded since the last time."""
        with self._going_round:
            self._read()

    def close(self, *, store_seconds: float = STORE_SECONDS, mlflow_seconds: float = MLFLOW_SECONDS) -> bool:
        """Carry the rest; False when the object store would not take it in time, and the rest stays in the spool.

        What MLflow would not take is in the object store; the controller sends it later.
        """
        self._done.set()
        self._thread.join()
        self._sample()
        shipped = self._shipper.close(store_seconds)
        uploaded = self._uploader is None or self._uploader.close(store_seconds)
        deadline = time.monotonic() + store_seconds
        self._round()
        while self._unsent and time.monotonic() < deadline:
            time.sleep(ROUND_SECONDS)
            self._round()
        if self._delivery is not None:
            self._delivery.close(mlflow_seconds)
        whole = shipped and uploaded and not self._unsent
        if not whole:
            self._remarks.say(f"not everything could be sent in {store_seconds:.0f} s; the rest stays in {self._env.attempt_spool}")
        return whole

    def _run(self) -> None:
        next_sample = time.monotonic() + 1.0
        while not self._done.wait(ROUND_SECONDS):
            if time.monotonic() >= next_sample:
                next_sample += SAMPLE_SECONDS
                self._sample()
            self._round()

    def _sample(self) -> None:
        figures = {f"{SYSTEM}rank-{self._rank}/{key}": value for key, value in self._system.sample().items()}
        if figures:
            self._writer.write("metrics", metrics=figures, step=self._samples)
            self._samples += 1

    def _round(self) -> None:
        with self._going_round:
            if len(self._unsent) < MOST_EVENTS:
                self._read()
            try:
                while self._unsent:
                    self._objects.put_json(*self._unsent[0])
                    del self._unsent[0]
            except OSError as error:
                self._remarks.trouble("events", f"the object store refuses: {error}")
            else:
                self._remarks.trouble("events", None)

    def _read(self) -> None:
        for records in self._reader.pieces():
            for record in records:
                self._take(record)

    def _take(self, record: dict[str, Any]) -> None:
        kind = record["kind"]
        if kind == "error":
            self.error = record
        elif kind == "stage":
            self.add_event("stage", record["name"], record["detail"].pop("at", record["time"]), record["detail"])
        elif kind == "model":
            model = {key: record[key] for key in ("name", "version", "uri")}
            with self._adding:
                self._unsent.append((f"{self._env.attempt_prefix}/model.json", model))

    def _settled(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        return self._shipper.catch_up(seconds) and self._lines.catch_up(max(0.0, deadline - time.monotonic()))

    def _saved(self, step: int, size: int, seconds: float) -> None:
        self.add_event("checkpoint", f"step {step}", time.time(), {"step": step, "bytes": size, "seconds": round(seconds, 3)})
