"""What a trainer could not bring to MLflow: read from its records in the object store, once the attempt is over.

Every point keeps the time at which it was reported, and MLflow stores a point of the same time, step and value once. So a
replay that is cut off is simply done again.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterator
from itertools import groupby, zip_longest
from typing import Any

from trainyard_api.controller.attempt_objects import attempt_prefix
from trainyard_api.objects.base import ObjectInfo, ObjectMissing, ObjectStore
from trainyard_api.tracking import Tracking, TrackingRefused

log = logging.getLogger(__name__)

_CHUNK = re.compile(r"(\d{12})\.jsonl\Z")
#: JSON knows no infinity.
_LARGEST = 1.7976931348623157e308
_PARAM_LENGTH = 6000
#: MLflow's limits of one request.
_MOST = {"metrics": 1000, "params": 100}


class MetricReplay:
    """Remembers for one term which attempts need no more looking at."""

    def __init__(self, objects: ObjectStore, tracking: Tracking) -> None:
        self._objects, self._tracking = objects, tracking
        self._done: dict[str, int] = {}

    def replay(self, job_id: str, attempts: int, run_id: str) -> None:
        """Bring what is left of the attempts 1 to ``attempts``, which are over, to the job's run.

        Raises:
            TrackingUnavailable: MLflow does not answer; to be called again.
            TrackingRefused: there is no such run.
            ObjectStoreError: the records cannot be read now.
        """
        for number in range(self._done.get(job_id, 0) + 1, attempts + 1):
            infos = self._objects.list(f"{attempt_prefix(job_id, number)}/records/")
            for rank, chunks in groupby(infos, key=lambda info: info.key.rpartition("/")[0]):
                self._replay_rank(rank, [info for info in chunks if _CHUNK.search(info.key)], run_id)
            self._done[job_id] = number

    def forget(self, job_id: str) -> None:
        """The job is settled."""
        self._done.pop(job_id, None)

    def _replay_rank(self, prefix: str, chunks: list[ObjectInfo], run_id: str) -> None:
        delivered = max(self._offset(f"{prefix}/delivered.json"), self._offset(f"{prefix}/replayed.json"))
        size = _start(chunks[-1]) + chunks[-1].size if chunks else 0
        if size <= delivered:
            return
        count = 0
        for records in self._pieces(chunks, delivered):
            for kind, rows in _rows(records).items():
                for start in range(0, len(rows), _MOST[kind]):
                    self._send(run_id, kind, rows[start : start + _MOST[kind]])
                count += len(rows)
        self._objects.put_bytes(f"{prefix}/replayed.json", json.dumps({"offset": size}).encode())
        log.info("%s: %s points and parameters brought to MLflow", prefix, count)

    def _offset(self, key: str) -> int:
        """Everything before this byte is in MLflow."""
        try:
            return int(json.loads(self._objects.get_bytes(key))["offset"])
        except (ObjectMissing, ValueError, KeyError, TypeError):
            return 0

    def _pieces(self, chunks: list[ObjectInfo], offset: int) -> Iterator[list[dict[str, Any]]]:
        """The records from byte ``offset`` on, those of one chunk at a time."""
        rest = b""
        for info, end in zip_longest(chunks, [_start(info) for info in chunks[1:]]):
            if end is not None and end <= offset:
                continue
            start = max(0, offset - _start(info))
            content = self._objects.get_bytes(info.key, start=start, length=None if end is None else end - _start(info) - start)
            *lines, rest = (rest + content).split(b"\n")
            yield [record for line in lines if (record := _parse(line)) is not None]

    def _send(self, run_id: str, kind: str, rows: list[dict[str, Any]]) -> None:
        """Store rows; those that MLflow refuses are left out, and said."""
        try:
            self._tracking.log_batch(run_id, **{kind: rows})
        except TrackingRefused as error:
            if len(rows) == 1:
                self._tracking.latest_metrics(run_id)  # raises when it is the run that is refused
                log.error("run %s: %s is left out: %s", run_id, rows[0], error)
                return
            half = len(rows) // 2
            self._send(run_id, kind, rows[:half])
            self._send(run_id, kind, rows[half:])


def _start(info: ObjectInfo) -> int:
    match = _CHUNK.search(info.key)
    return int(match[1]) if match else 0


def _parse(line: bytes) -> dict[str, Any] | None:
    """One record; None for a line that is none, because a chunk before it was never sent."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _rows(records: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The records' metrics and parameters as MLflow takes them. What is not in order is left out."""
    rows: dict[str, list[dict[str, Any]]] = {"metrics": [], "params": []}
    for record in records:
        try:
            if record.get("kind") == "metrics":
                at, step = int(record["time"] * 1000), int(record["step"])
                values = {str(key): float(value) for key, value in record["metrics"].items()}
                rows["metrics"] += [{"key": key, "value": _sendable(value), "timestamp": at, "step": step} for key, value in values.items()]
            elif record.get("kind") == "params":
                rows["params"] += [{"key": str(key), "value": str(value)[:_PARAM_LENGTH]} for key, value in record["params"].items()]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            continue
    return rows


def _sendable(value: float) -> float | str:
    return "NaN" if math.isnan(value) else max(-_LARGEST, min(_LARGEST, value))
