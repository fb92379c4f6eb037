"""How cost grows with size: jobs at work, jobs on record, points of a metric, bytes of a log (docs/scale.md)."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import httpx

from tests.bench import portal_data
from tests.bench.by_hand import fresh_platform
from tests.bench.control_plane import http_client
from tests.bench.growth import Growth
from tests.support import leading
from tests.support.minio import running_minio
from trainyard_api.engines.memory import Script
from trainyard_api.objects import open_store
from trainyard_api.store.states import JobState
from trainyard_train.logs import LOG_PIECE_BYTES

ACTIVE = [50, 200, 800]
RECORDED = [1_000, 10_000, 100_000]
POINTS = [10_000, 100_000, 1_000_000]
LOG_MEGABYTES = [1, 10, 100, 1000]
_MEGABYTE = 2**20
_BUCKET = "trainyard"
#: As much of a log as the portal asks for at a time.
_PAGE_BYTES = 256 * 1024


def _milliseconds(ask: Callable[[], object], times: int) -> list[float]:
    """Each of so many calls, after one that does not count."""
    ask()
    readings = []
    for _ in range(times):
        begun = time.perf_counter()
        ask()
        readings.append((time.perf_counter() - begun) * 1000)
    return readings


def active_jobs(repeats: int) -> list[Growth]:
    """One round of the controller while so many jobs run: what it reads of each, on files and from a MinIO; SQLite holds the rows."""
    rows = [Growth("A round of the controller, objects in files", "ms", "jobs at work", ACTIVE, _rounds(repeats), most=1.05)]
    with running_minio() as store, mock.patch.dict(os.environ, {**store.environment, "TRAINYARD_OBJECT_STORE_URL": f"s3://{_BUCKET}"}):
        boto3.client("s3").create_bucket(Bucket=_BUCKET)
        rows.append(Growth("A round of the controller, objects in MinIO", "ms", "jobs at work", ACTIVE, _rounds(repeats), most=1.05))
    return rows


def _rounds(repeats: int) -> list[list[float]]:
    readings = []
    for count in ACTIVE:
        with tempfile.TemporaryDirectory() as folder, leading.yard(Path(folder), cpus=count) as yard:
            yard.settings = yard.settings.model_copy(update={"lease_seconds": 3600, "heartbeat_timeout_seconds": 3600})
            leader = yard.lead()
            jobs = [yard.submit(Script(seconds=None, beats=False)) for _ in range(count)]
            leader.until_true("all to run", lambda last=jobs[-1], yard=yard: yard.job(last).state is JobState.RUNNING, seconds=600)  # type: ignore[misc]
            readings.append(_milliseconds(leader.steps.round, 3 * repeats))
    return readings


def recorded_jobs(repeats: int) -> Growth:
    """A filtered page of 50 jobs out of so many."""
    readings = []
    with fresh_platform() as config, http_client(config) as client:
        for count in RECORDED:
            portal_data.drop_jobs(config)
            portal_data.fill_jobs(config, count)
            readings.append(_milliseconds(lambda: _asked(client, "/jobs", state="SUCCEEDED", limit=50), 10 * repeats))
    return Growth("A page of 50 jobs", "ms", "jobs on record", RECORDED, readings, most=0.05)


def metric_points(repeats: int) -> Growth:
    """What the portal asks for to draw a metric of so many points."""
    readings = []
    for points in POINTS:
        with fresh_platform() as config, http_client(config) as client:
            [job] = portal_data.fill_runs(config, 1, points)
            readings.append(_milliseconds(lambda client=client, job=job: _asked(client, f"/jobs/{job}/metrics"), 10 * repeats))  # type: ignore[misc]
    return Growth("A chart", "ms", "points of the metric", POINTS, readings, most=0.05)


def log_bytes(repeats: int) -> Growth:
    """The last page of a log of so many megabytes, kept in the pieces in which a rank sends what it prints line by line."""
    readings = []
    with fresh_platform() as config, http_client(config) as client:
        portal_data.fill_jobs(config, 1)
        [job] = _asked(client, "/jobs", limit=1)["items"]
        objects = open_store((config.state_dir / "objects").as_uri())
        piece, written = (b"step 1 of 100: loss 0.123456789\n" * LOG_PIECE_BYTES)[:LOG_PIECE_BYTES], 0
        for megabytes in LOG_MEGABYTES:
            while written < megabytes * _MEGABYTE:
                objects.put_bytes(f"jobs/{job['id']}/attempts/1/logs/rank-0/{written:012d}.log", piece)
                written += len(piece)
            readings.append(_milliseconds(lambda: _last_page(client, job["id"]), 10 * repeats))
    return Growth("The last page of a log", "ms", "megabytes of the log", LOG_MEGABYTES, readings, most=0.5)


def _last_page(client: httpx.Client, job_id: str) -> None:
    content = _asked(client, f"/jobs/{job_id}/logs", attempt=1, rank="0", offset=-_PAGE_BYTES, limit=_PAGE_BYTES)["content"]
    assert len(content) > _PAGE_BYTES // 2, f"only {len(content)} bytes"


def _asked(client: httpx.Client, path: str, **query: Any) -> Any:
    return client.get(path, params=query).raise_for_status().json()
