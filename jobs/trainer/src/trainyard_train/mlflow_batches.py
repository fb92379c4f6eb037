"""Metrics to MLflow in batches over its REST API; what could not be sent stays and is sent later."""

from __future__ import annotations

import math
from typing import Any

import httpx

#: MLflow's documented limits of one log-batch request.
BATCH_METRICS = 1000
BATCH_PARAMS = 100


class MetricBatches:
    """Points on their way to one run."""

    def __init__(self, url: str, run_id: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=httpx.Timeout(10, connect=2))
        self._run_id = run_id
        self._metrics: list[dict[str, Any]] = []
        self._params: list[dict[str, str]] = []

    def add(self, metrics: dict[str, float], *, step: int, time: float) -> None:
        """Keep points to send. ``time`` in Unix seconds. Infinities become the largest double: JSON has no other way."""
        for key, value in metrics.items():
            number = float(value)
            sendable: float | str = (
                number if math.isfinite(number) else ("NaN" if math.isnan(number) else math.copysign(1.7976931348623157e308, number))
            )
            self._metrics.append({"key": key, "value": sendable, "timestamp": int(time * 1000), "step": step})

    def add_params(self, params: dict[str, Any]) -> None:
        """Keep parameters to send, cut at MLflow's 6,000 characters."""
        self._params.extend({"key": str(key), "value": str(value)[:6000]} for key, value in params.items())

    def flush(self) -> str | None:
        """Send what is there; the reason when something is left. A batch that MLflow refuses for good is dropped with its reason."""
        while self._metrics or self._params:
            metrics, params = self._metrics[:BATCH_METRICS], self._params[:BATCH_PARAMS]
            try:
                response = self._client.post(
                    "/api/2.0/mlflow/runs/log-batch", json={"run_id": self._run_id, "metrics": metrics, "params": params, "tags": []}
                )
            except httpx.HTTPError as error:
                return f"MLflow cannot be reached: {error}"
            if response.status_code >= 500 or response.status_code == 429:
                return f"MLflow answered {response.status_code}"
            del self._metrics[: len(metrics)], self._params[: len(params)]
            if response.is_error:
                return f"MLflow refused a batch: {response.text[:300]}"
        return None

    @property
    def pending(self) -> int:
        """How many points and parameters wait."""
        return len(self._metrics) + len(self._params)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
