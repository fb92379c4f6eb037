"""Batches of metrics and parameters for MLflow's REST API."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import httpx

#: MLflow's documented limits of one log-batch request, and of one parameter.
BATCH_METRICS = 1000
BATCH_PARAMS = 100
PARAM_LENGTH = 6000
#: JSON knows no infinity.
_LARGEST = 1.7976931348623157e308


@dataclass(frozen=True)
class Problem:
    """Why something was not stored, and whether to try ``again``."""

    text: str
    again: bool


class MlflowBatches:
    """A client of one MLflow server."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=httpx.Timeout(10, connect=2), trust_env=False)

    def send(self, run_id: str, records: list[dict[str, Any]]) -> Problem | None:
        """Store the metrics and parameters of these records; sending them again does no harm.

        Infinities become the largest double, parameters are cut at MLflow's 6,000 characters. What MLflow refuses for good is
        left out, and nothing else with it.
        """
        metrics = [
            {"key": key, "value": _sendable(value), "timestamp": int(record["time"] * 1000), "step": record["step"]}
            for record in records
            if record["kind"] == "metrics"
            for key, value in record["metrics"].items()
        ]
        params = [
            {"key": key, "value": value[:PARAM_LENGTH]}
            for record in records
            if record["kind"] == "params"
            for key, value in record["params"].items()
        ]
        refused = None
        # Apart from each other: a parameter that was logged with another value before must not take metrics with it.
        for kind, rows, limit in (("metrics", metrics, BATCH_METRICS), ("params", params, BATCH_PARAMS)):
            for start in range(0, len(rows), limit):
                problem = self._post(run_id, kind, rows[start : start + limit])
                if problem is not None and problem.again:
                    return problem
                refused = problem or refused
        return refused

    def _post(self, run_id: str, kind: str, rows: list[dict[str, Any]]) -> Problem | None:
        try:
            response = self._client.post("/api/2.0/mlflow/runs/log-batch", json={"run_id": run_id, kind: rows})
        except httpx.HTTPError as error:
            return Problem(f"MLflow cannot be reached: {error}", again=True)
        if response.status_code >= 500 or response.status_code == 429:
            return Problem(f"MLflow answered {response.status_code}", again=True)
        if not response.is_error:
            return None
        if response.status_code == 400 and len(rows) > 1:  # one of them is refused: find out which
            half = len(rows) // 2
            problems = [self._post(run_id, kind, part) for part in (rows[:half], rows[half:])]
            return next((one for one in problems if one is not None and one.again), problems[0] or problems[1])
        return Problem(f"MLflow refused {len(rows)} {kind}: {response.text[:300]}", again=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _sendable(value: float) -> float | str:
    return "NaN" if math.isnan(value) else max(-_LARGEST, min(_LARGEST, value))
