"""Metrics to MLflow in batches over its REST API; what could not be sent stays and is sent later."""

from __future__ import annotations

import math
from typing import Any

import httpx

from trainyard_train.run_identity import RunIdentity

#: MLflow's documented limits of one log-batch request, and of one parameter.
BATCH_METRICS = 1000
BATCH_PARAMS = 100
PARAM_LENGTH = 6000
#: JSON knows no infinity.
_LARGEST = 1.7976931348623157e308


class MetricBatches:
    """Points and parameters on their way to one run."""

    def __init__(self, url: str, run: RunIdentity) -> None:
        self._client = httpx.Client(base_url=url, timeout=httpx.Timeout(10, connect=2), trust_env=False)
        self._run = run
        self._metrics: list[dict[str, Any]] = []
        self._params: list[dict[str, str]] = []

    def add(self, metrics: dict[str, float], *, step: int, time: float) -> None:
        """Keep points to send. ``time`` in Unix seconds. Infinities become the largest double."""
        for key, value in metrics.items():
            number = float(value)
            sendable: float | str = "NaN" if math.isnan(number) else max(-_LARGEST, min(_LARGEST, number))
            self._metrics.append({"key": key, "value": sendable, "timestamp": int(time * 1000), "step": step})

    def add_params(self, params: dict[str, Any]) -> None:
        """Keep parameters to send, cut at MLflow's 6,000 characters."""
        self._params.extend({"key": str(key), "value": str(value)[:PARAM_LENGTH]} for key, value in params.items())

    def flush(self) -> str | None:
        """Send what is there; the reason when something is left. A batch that MLflow refuses for good is dropped with its reason."""
        if not self.pending:
            return None
        run_id = self._run.find()
        if run_id is None:
            return "MLflow has no run for this job yet"
        # Apart from each other: a parameter that was logged with another value before must not take metrics with it.
        return self._send(run_id, "metrics", self._metrics, BATCH_METRICS) or self._send(run_id, "params", self._params, BATCH_PARAMS)

    def _send(self, run_id: str, kind: str, waiting: list[dict[str, Any]], limit: int) -> str | None:
        while batch := waiting[:limit]:
            try:
                response = self._client.post("/api/2.0/mlflow/runs/log-batch", json={"run_id": run_id, kind: batch})
            except httpx.HTTPError as error:
                return f"MLflow cannot be reached: {error}"
            if response.status_code >= 500 or response.status_code == 429:
                return f"MLflow answered {response.status_code}"
            del waiting[: len(batch)]
            if response.is_error:
                return f"MLflow refused {len(batch)} {kind}: {response.text[:300]}"
        return None

    @property
    def pending(self) -> int:
        """How many points and parameters wait."""
        return len(self._metrics) + len(self._params)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
