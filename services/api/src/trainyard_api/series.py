"""Series of metrics: thinned out, and kept beside a job that is over, so that looking at it asks MLflow for nothing."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trainyard_api.objects.base import ObjectMissing, ObjectStore
from trainyard_api.tracking import MetricPoint, Tracking

log = logging.getLogger(__name__)

#: What is kept, in points of each series: for a chart of hundreds of jobs, and for one job's page. Who wants more asks MLflow.
_LEVELS = (300, 2000)
KEPT_POINTS = _LEVELS[-1]


@dataclass(frozen=True)
class Series:
    """One metric, downsampled; ``count`` is how many points it has in all."""

    key: str
    count: int
    points: list[MetricPoint]

    def thinned(self, points: int) -> Series:
        """The same with at most ``points`` (at least 2)."""
        return Series(self.key, self.count, downsample(self.points, points))


def load_series(tracking: Tracking, run_id: str, keys: Sequence[str], points: int) -> list[Series]:
    """The wanted series of a run (all, when ``keys`` is empty), at most ``points`` each. Raises TrackingUnavailable, TrackingRefused."""
    found = []
    for key in sorted(tracking.latest_metrics(run_id)):
        if not keys or key in keys:
            history = tracking.metric_history(run_id, key)
            found.append(Series(key, len(history), downsample(history, points)))
    return found


def keep_series(objects: ObjectStore, job_id: str, attempt: int, series: Sequence[Series]) -> None:
    """Write the series of a job that ended with ``attempt``. Raises ObjectStoreError."""
    for level in _LEVELS:
        rows = {one.key: _row(one.thinned(level)) for one in series}
        objects.put_bytes(_key(job_id, level), json.dumps({"attempt": attempt, "series": rows}, separators=(",", ":")).encode())


def as_kept(series: Sequence[Series], points: int) -> list[Series]:
    """What ``kept_series`` will answer once these are kept."""
    return [one.thinned(_level(points)).thinned(points) for one in series]


def kept_series(objects: ObjectStore, job_id: str, attempt: int, points: int) -> list[Series] | None:
    """At most ``points`` (up to KEPT_POINTS) of each series of a job that ended with ``attempt``; None when none were kept.

    Raises ObjectStoreError.
    """
    try:
        body: dict[str, Any] = json.loads(objects.get_bytes(_key(job_id, _level(points))))
        if body["attempt"] != attempt:
            return None
        return [_series(key, row).thinned(points) for key, row in body["series"].items()]
    except ObjectMissing:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("the kept series of job %s cannot be read: %s", job_id, error)
        return None


def downsample(history: Sequence[MetricPoint], points: int) -> list[MetricPoint]:
    """At most ``points`` of the series (at least 2): the first, the last, and the lowest and highest of each part in between."""
    if len(history) <= points:
        return list(history)
    parts = (points - 2) // 2
    kept = {0, len(history) - 1}
    inner = len(history) - 2
    for part in range(parts):
        indices = range(1 + part * inner // parts, 1 + (part + 1) * inner // parts)
        finite = [index for index in indices if not math.isnan(history[index].value)] or indices
        kept.add(min(finite, key=lambda index: history[index].value))
        kept.add(max(finite, key=lambda index: history[index].value))
    return [history[index] for index in sorted(kept)]


def _level(points: int) -> int:
    return next(one for one in _LEVELS if one >= points)


def _row(series: Series) -> dict[str, Any]:
    return {
        "count": series.count,
        "steps": [point.step for point in series.points],
        "values": [point.value for point in series.points],
        "timestamps": [point.timestamp for point in series.points],
    }


def _series(key: str, row: dict[str, Any]) -> Series:
    points = zip(row["steps"], row["values"], row["timestamps"], strict=True)
    return Series(key, row["count"], [MetricPoint(*point) for point in points])


def _key(job_id: str, level: int) -> str:
    return f"jobs/{job_id}/series/{level}.json"
