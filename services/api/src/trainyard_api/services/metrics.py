"""Metrics of a job's MLflow run: downsampled series, and live."""

import base64
import binascii
import contextlib
import json
import math
import sys
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from trainyard_api.objects.base import ObjectStoreError
from trainyard_api.series import KEPT_POINTS, Series, as_kept, keep_series, kept_series, load_series
from trainyard_api.services.following import Batch, StreamItem, bad_position, job_is_over
from trainyard_api.services.platform import Platform
from trainyard_api.store.models import Job
from trainyard_api.tracking import MetricPoint, TrackingUnavailable

_FULL_LOOK_EVERY = 10
_LARGEST_POSITION = 1 << 20
#: How often MLflow may fail in a row after the job's end before the stream ends without its last points.
_LAST_TRIES = 10


@dataclass(frozen=True)
class NamedPoint:
    """One point and the metric that it belongs to."""

    key: str
    point: MetricPoint


def read_metrics(platform: Platform, job_id: str, keys: Sequence[str], points: int) -> tuple[str | None, list[Series]]:
    """The run's id and the wanted series (all, when ``keys`` is empty), at most ``points`` each.

    Raises NotFound, TrackingUnavailable, TrackingRefused.
    """
    job = platform.repository.get_job(job_id)
    return job.mlflow_run_id, series_of(platform, job, keys, points)


def compare(platform: Platform, ids: Sequence[str], points: int) -> list[tuple[Job, list[Series]]]:
    """Those of the jobs that exist, in this order, with all of their series. Raises TrackingUnavailable, TrackingRefused."""
    found = {job.id: job for job in platform.repository.get_jobs(set(ids))}
    return [(found[one], series_of(platform, found[one], [], points)) for one in dict.fromkeys(ids) if one in found]


def series_of(platform: Platform, job: Job, keys: Sequence[str], points: int) -> list[Series]:
    """The wanted series of a job, from beside it when it is over. Raises TrackingUnavailable, TrackingRefused."""
    if job.mlflow_run_id is None:
        return []
    if job.settled_at is None or points > KEPT_POINTS:
        return load_series(platform.tracking, job.mlflow_run_id, keys, points)
    kept = None
    with contextlib.suppress(ObjectStoreError):  # MLflow has them too
        kept = kept_series(platform.objects, job.id, job.attempt, points)
    if kept is None:
        whole = load_series(platform.tracking, job.mlflow_run_id, [], KEPT_POINTS)
        with contextlib.suppress(ObjectStoreError):
            keep_series(platform.objects, job.id, job.attempt, whole)
        kept = as_kept(whole, points)
    return [one for one in kept if not keys or one.key in keys]


def plain(value: float) -> float | None:
    """The value as JSON can hold it: None for NaN and for infinities, which MLflow keeps as the largest doubles."""
    return value if math.isfinite(value) and abs(value) < sys.float_info.max else None


class MetricFollower:
    """Follows the series of a run. Its positions count the points of every series that were sent.

    Points of a series are counted in the order in which they were taken, which is the order in which one process logs them.
    """

    def __init__(self, platform: Platform, job_id: str, *, keys: Sequence[str], position: str | None) -> None:
        """Start after ``position`` or at the first points. Raises Invalid."""
        self._repository, self._tracking = platform.repository, platform.tracking
        self._job_id, self._keys = job_id, frozenset(keys)
        self._sent: dict[str, Counter[MetricPoint]] = {}
        self._skip = {} if position is None else _parse(position)
        self._latest: dict[str, MetricPoint] = {}
        self._polls = self._failures = 0

    def poll(self) -> Batch:
        """See Follower. After the first poll, MLflow may be away for as long as the job goes on."""
        job = self._repository.get_job(self._job_id)
        over = job_is_over(self._repository, job)
        self._polls += 1
        if job.mlflow_run_id is None:
            return Batch([], job if over else None)
        try:
            points = self._new_points(job.mlflow_run_id, everything=over or self._polls % _FULL_LOOK_EVERY == 1)
        except TrackingUnavailable:
            self._failures += 1
            if self._polls == 1 or (over and self._failures >= _LAST_TRIES):
                raise
            return Batch([])
        self._failures = 0
        items = [StreamItem("metrics", self._position(), points)] if points else []
        return Batch(items, job if over else None)

    def _new_points(self, run_id: str, *, everything: bool) -> list[NamedPoint]:
        """Points that were not sent. Series whose latest point has not changed are looked at only now and then: a later attempt may add
        points below it."""
        latest = self._tracking.latest_metrics(run_id)
        found = []
        for key in sorted(latest):
            if (not self._keys or key in self._keys) and (everything or latest[key] != self._latest.get(key)):
                found += [NamedPoint(key, point) for point in self._unsent(key, self._tracking.metric_history(run_id, key))]
        self._latest = latest
        return sorted(found, key=lambda named: named.point.timestamp)

    def _unsent(self, key: str, history: list[MetricPoint]) -> list[MetricPoint]:
        ordered = sorted(history, key=lambda point: (point.timestamp, point.step))
        sent = self._sent.setdefault(key, Counter())
        for point in ordered[: self._skip.pop(key, 0)]:
            sent[_comparable(point)] += 1
        left, new = Counter(sent), []
        for point in ordered:
            same = _comparable(point)
            if left[same] > 0:
                left[same] -= 1
            else:
                new.append(point)
                sent[same] += 1
        return new

    def _position(self) -> str:
        counts = {key: sent.total() for key, sent in self._sent.items()} | self._skip
        packed = zlib.compress(json.dumps(counts, sort_keys=True, separators=(",", ":")).encode(), 9)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _comparable(point: MetricPoint) -> MetricPoint:
    """The point such that it equals itself also when it is NaN."""
    return MetricPoint(point.step, math.inf, -point.timestamp) if math.isnan(point.value) else point


def _parse(position: str) -> dict[str, int]:
    """The counts in a position. Raises Invalid for one that no stream gave out."""
    try:
        packed = base64.b64decode(position + "=" * (-len(position) % 4), altchars=b"-_", validate=True)
        unpacker = zlib.decompressobj()
        counts = json.loads(unpacker.decompress(packed, _LARGEST_POSITION))
        if unpacker.unconsumed_tail or not unpacker.eof:
            raise ValueError("not whole")
    except (ValueError, binascii.Error, zlib.error, RecursionError) as error:
        raise bad_position(position) from error
    if not isinstance(counts, dict) or not all(type(count) is int and 0 <= count < 2**53 for count in counts.values()):
        raise bad_position(position)
    return counts
