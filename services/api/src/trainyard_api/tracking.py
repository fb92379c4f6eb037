"""MLflow through its REST API: runs of jobs, their metrics, registered models. Light: the mlflow package is not imported."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

EXPERIMENT = "Trainyard"
_API = "/api/2.0/mlflow"
#: Each run is one more call to MLflow.
_VERSIONS_WITH_RUNS = 50
_ARTIFACT_SECONDS = 120.0


class TrackingUnavailable(Exception):
    """MLflow does not answer now."""


class TrackingRefused(Exception):
    """MLflow refused a request for good."""


class TrackingMissing(TrackingRefused):
    """MLflow has no such thing."""


@dataclass(frozen=True)
class MetricPoint:
    """One value of one series; ``timestamp`` in milliseconds since the epoch."""

    step: int
    value: float
    timestamp: int


@dataclass(frozen=True)
class ModelVersion:
    """One registered model version."""

    name: str
    version: str
    run_id: str | None
    created_at: int
    uri: str
    job_id: str | None
    metrics: dict[str, float]
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class RegisteredModel:
    """One registered model: the version that each alias leads to, and its versions, newest first."""

    name: str
    aliases: dict[str, str]
    versions: list[ModelVersion]


@dataclass(frozen=True)
class Artifact:
    """A file or folder of a run; ``path`` is relative to the run, ``size`` None for a folder."""

    path: str
    is_dir: bool
    size: int | None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


class Tracking:
    """One MLflow server. Thread-safe; every method may raise TrackingUnavailable or TrackingRefused."""

    def __init__(self, url: str, *, timeout_seconds: float = 10) -> None:
        """Nothing is connected before the first use."""
        self._client = httpx.Client(base_url=url, timeout=httpx.Timeout(timeout_seconds, connect=2), trust_env=False)
        self._experiment_id: str | None = None
        self._lock = threading.Lock()

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            response = self._client.request(method, f"{_API}/{path}", **options)
        except httpx.HTTPError as error:
            raise TrackingUnavailable(f"MLflow does not answer at {self._client.base_url}: {error}") from error
        if response.status_code >= 500 or response.status_code == 429:
            raise TrackingUnavailable(f"MLflow answered {response.status_code}")
        if response.is_error:
            refused = TrackingMissing if response.status_code == 404 else TrackingRefused
            raise refused(f"MLflow answered {response.status_code}: {response.text[:300]}")
        try:
            body: dict[str, Any] = response.json()
        except ValueError as error:
            raise TrackingUnavailable(f"what answers at {self._client.base_url} is not MLflow") from error
        return body

    def ping(self) -> None:
        """Raise TrackingUnavailable unless the server is healthy."""
        try:
            healthy = self._client.get("/health").status_code == 200
        except httpx.HTTPError as error:
            raise TrackingUnavailable(str(error)) from error
        if not healthy:
            raise TrackingUnavailable("MLflow is not healthy")

    def experiment_id(self) -> str:
        """The experiment of all jobs, made on first use."""
        with self._lock:
            if self._experiment_id is None:
                try:
                    found = self._call("GET", "experiments/get-by-name", params={"experiment_name": EXPERIMENT})
                    self._experiment_id = str(found["experiment"]["experiment_id"])
                except TrackingRefused:
                    try:
                        self._experiment_id = str(self._call("POST", "experiments/create", json={"name": EXPERIMENT})["experiment_id"])
                    except TrackingRefused:  # another process made it meanwhile
                        found = self._call("GET", "experiments/get-by-name", params={"experiment_name": EXPERIMENT})
                        self._experiment_id = str(found["experiment"]["experiment_id"])
            return self._experiment_id

    def ensure_run(self, job_id: str, name: str, started: datetime, params: dict[str, Any], tags: dict[str, str]) -> tuple[str, str]:
        """The job's run, made when there is none yet: (experiment id, run id)."""
        experiment = self.experiment_id()
        runs = self._runs_of(experiment, job_id)
        if runs:
            run_id = str(runs[0]["info"]["run_id"])
        else:
            body = {
                "experiment_id": experiment,
                "run_name": name,
                "start_time": int(started.timestamp() * 1000),
                "tags": [{"key": key, "value": value[:5000]} for key, value in {**tags, "trainyard.job_id": job_id}.items()],
            }
            run_id = str(self._call("POST", "runs/create", json=body)["run"]["info"]["run_id"])
        # Logged also when the run was found: whoever made it may have stopped before the parameters.
        rows = [{"key": key, "value": str(value)[:6000]} for key, value in params.items()]
        for start in range(0, len(rows), 100):
            self._call("POST", "runs/log-batch", json={"run_id": run_id, "params": rows[start : start + 100]})
        return experiment, run_id

    def drop_doubles(self, job_id: str, run_id: str) -> None:
        """Delete empty runs of the job beside this one: a request to make one may be carried out long after nobody waits for it."""
        for run in self._runs_of(self.experiment_id(), job_id):
            if run["info"]["run_id"] != run_id and not (run.get("data") or {}).get("metrics"):
                self._call("POST", "runs/delete", json={"run_id": run["info"]["run_id"]})

    def _runs_of(self, experiment: str, job_id: str) -> list[dict[str, Any]]:
        search = {"experiment_ids": [experiment], "filter": f"tags.`trainyard.job_id` = '{job_id}'", "max_results": 100}
        found: list[dict[str, Any]] = self._call("POST", "runs/search", json=search).get("runs", [])
        return found

    def set_status(self, run_id: str, status: str, *, ended: datetime | None = None) -> None:
        """RUNNING, FINISHED, FAILED or KILLED; with the end time for the last three."""
        body: dict[str, Any] = {"run_id": run_id, "status": status}
        if ended is not None:
            body["end_time"] = int(ended.timestamp() * 1000)
        self._call("POST", "runs/update", json=body)

    def set_tag(self, run_id: str, key: str, value: str) -> None:
        """Set one tag."""
        self._call("POST", "runs/set-tag", json={"run_id": run_id, "key": key, "value": value[:5000]})

    def log_batch(self, run_id: str, *, metrics: list[dict[str, Any]] | None = None, params: list[dict[str, Any]] | None = None) -> None:
        """Store at most 1,000 points ``{key, value, timestamp, step}`` and 100 parameters; a point that is there already is no error."""
        self._call("POST", "runs/log-batch", json={"run_id": run_id, "metrics": metrics or [], "params": params or []})

    def latest_metrics(self, run_id: str) -> dict[str, MetricPoint]:
        """The last point of every series."""
        run = self._call("GET", "runs/get", params={"run_id": run_id})["run"]
        return {row["key"]: _point(row) for row in run["data"].get("metrics", [])}

    def _metrics_of(self, run_id: str) -> dict[str, float]:
        """The run's last figures, those of the machine left out; nothing when the run was deleted."""
        try:
            latest = self.latest_metrics(run_id)
        except TrackingRefused:
            return {}
        return {key: point.value for key, point in latest.items() if not key.startswith("system/")}

    def metric_history(self, run_id: str, key: str) -> list[MetricPoint]:
        """Every point of one series, by step and then time."""
        points: list[MetricPoint] = []
        token: str | None = None
        while True:
            params = {"run_id": run_id, "metric_key": key, "max_results": 25000, **({"page_token": token} if token else {})}
            page = self._call("GET", "metrics/get-history", params=params)
            points.extend(_point(row) for row in page.get("metrics", []))
            token = page.get("next_page_token") or None
            if token is None:
                return sorted(points, key=lambda point: (point.step, point.timestamp))

    def model_versions(self, limit: int = 200, *, name: str = "") -> Iterator[ModelVersion]:
        """Registered versions, of one model or of all, newest first; the newest that have no metrics of their own come with their run's."""
        params: dict[str, Any] = {"max_results": limit, "order_by": "last_updated_timestamp DESC"}
        if name:
            if "'" in name and '"' in name:  # which MLflow's filters cannot say
                return
            params["filter"] = f'name = "{name}"' if "'" in name else f"name = '{name}'"
        body = self._call("GET", "model-versions/search", params=params)
        for number, row in enumerate(body.get("model_versions", [])):
            tags = {tag["key"]: tag["value"] for tag in row.get("tags", [])}
            metrics = {metric["key"]: float(metric["value"]) for metric in row.get("metrics", []) or []}
            if not metrics and row.get("run_id") and number < _VERSIONS_WITH_RUNS:
                metrics = self._metrics_of(row["run_id"])
            yield ModelVersion(
                row["name"],
                str(row["version"]),
                row.get("run_id"),
                int(row["creation_timestamp"]),
                f"models:/{row['name']}/{row['version']}",
                tags.get("trainyard.job_id"),
                metrics,
            )

    def aliases(self, name: str) -> dict[str, str]:
        """The version that each alias of a model leads to. Raises TrackingMissing when there is no such model."""
        return _aliases(self._call("GET", "registered-models/get", params={"name": name})["registered_model"])

    def all_aliases(self) -> dict[str, dict[str, str]]:
        """The same of every model, by name."""
        found: dict[str, dict[str, str]] = {}
        token: str | None = None
        while True:
            params = {"max_results": 1000, **({"page_token": token} if token else {})}
            page = self._call("GET", "registered-models/search", params=params)
            found |= {str(model["name"]): _aliases(model) for model in page.get("registered_models", [])}
            token = page.get("next_page_token") or None
            if token is None:
                return found

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Let the alias lead to this version. Raises TrackingMissing when there is no such model or version."""
        self._call("POST", "registered-models/alias", json={"name": name, "alias": alias, "version": version})

    def delete_alias(self, name: str, alias: str) -> None:
        """Take the alias away. Raises TrackingMissing when there is no such model."""
        self._call("DELETE", "registered-models/alias", json={"name": name, "alias": alias})

    def logged_models(self, run_id: str) -> dict[str, str]:
        """The models that the run made, oldest first: names by their ids. MLflow keeps their files apart from the run's."""
        outputs = self._call("GET", "runs/get", params={"run_id": run_id})["run"].get("outputs", {})
        ids = [str(row["model_id"]) for row in outputs.get("model_outputs", [])]
        found: list[tuple[int, str, str]] = []
        for model_id in set(ids):
            with contextlib.suppress(TrackingMissing):  # it was deleted
                info = self._call("GET", f"logged-models/{model_id}")["model"]["info"]
                found.append((int(info["creation_timestamp_ms"]), model_id, str(info["name"])))
        return {model_id: name for _, model_id, name in sorted(found)}

    def artifacts(self, run_id: str, path: str) -> list[Artifact]:
        """What a folder of the run holds, in MLflow's order; nothing when there is no such folder."""
        params = {"run_id": run_id, **({"path": path} if path else {})}
        return _artifacts(self._call("GET", "artifacts/list", params=params))

    def model_artifacts(self, model_id: str, path: str) -> list[Artifact]:
        """The same of a model that a run made."""
        params = {"artifact_directory_path": path} if path else {}
        return _artifacts(self._call("GET", f"logged-models/{model_id}/artifacts/directories", params=params))

    def artifact_content(self, run_id: str, path: str) -> Iterator[bytes]:
        """A file of the run in pieces. The first one may take long: MLflow may have to fetch the file first."""
        return self._content("/get-artifact", {"run_id": run_id, "path": path})

    def model_artifact_content(self, model_id: str, path: str) -> Iterator[bytes]:
        """The same of a model that a run made."""
        return self._content(f"/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files", {"artifact_file_path": path})

    def _content(self, address: str, params: dict[str, str]) -> Iterator[bytes]:
        timeout = httpx.Timeout(_ARTIFACT_SECONDS, connect=2)
        try:
            with self._client.stream("GET", address, params=params, timeout=timeout) as response:
                if response.status_code >= 500 or response.status_code == 429:
                    raise TrackingUnavailable(f"MLflow answered {response.status_code}")
                if response.is_error:
                    raise TrackingRefused(f"MLflow answered {response.status_code} for an artifact")
                yield from response.iter_bytes()
        except httpx.HTTPError as error:
            raise TrackingUnavailable(f"MLflow does not answer at {self._client.base_url}: {error}") from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _point(row: dict[str, Any]) -> MetricPoint:
    return MetricPoint(int(row.get("step", 0)), float(row["value"]), int(row["timestamp"]))


def _aliases(model: dict[str, Any]) -> dict[str, str]:
    return {str(row["alias"]): str(row["version"]) for row in model.get("aliases", [])}


def _artifacts(body: dict[str, Any]) -> list[Artifact]:
    return [
        Artifact(str(row["path"]), bool(row.get("is_dir")), None if row.get("is_dir") else int(row.get("file_size") or 0))
        for row in body.get("files", [])
    ]
