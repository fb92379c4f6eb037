"""The machine's own Ray head, through the Ray Jobs REST API."""

from __future__ import annotations

import shlex
import sys
from typing import Any
from urllib.parse import quote

import httpx

from trainyard_api.engines.base import Capacity, Engine, EngineStatus, EngineUnavailable, Phase, Submission, SubmissionRefused
from trainyard_api.engines.driver import cause_of_exit, driver_environment, want_of_memory
from trainyard_api.failures import FailureKind

_PHASES = {
    "PENDING": Phase.PENDING,
    "RUNNING": Phase.RUNNING,
    "SUCCEEDED": Phase.SUCCEEDED,
    "FAILED": Phase.FAILED,
    "STOPPED": Phase.STOPPED,
}

#: By this a job of Ray's is known as one of the platform's.
_JOB = "trainyard_job_id"


class LocalEngine(Engine):
    """Submits each attempt as one Ray job; handles are ``{"submission_id": ...}``."""

    name = "local"

    def __init__(self, address: str, token: str | None) -> None:
        """``address`` is the dashboard's URL; ``token`` Ray's authentication token."""
        super().__init__()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=address, headers=headers, timeout=httpx.Timeout(30, connect=3), trust_env=False)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise EngineUnavailable(f"Ray does not answer at {self._client.base_url}: {error}") from error
        if response.status_code in (401, 403):
            raise EngineUnavailable("Ray refuses the authentication token; restart the platform so that both use the same one")
        if response.status_code in (502, 503, 504):
            raise EngineUnavailable(f"Ray answered {response.status_code}")
        return response

    def _get(self, submission_id: str) -> dict[str, Any] | None:
        response = self._request("GET", f"/api/jobs/{quote(submission_id)}")
        if response.status_code == 404:
            return None
        if response.is_error:
            raise EngineUnavailable(f"Ray answered {response.status_code}: {response.text[:300]}")
        found: dict[str, Any] = response.json()
        return found

    def submit(self, submission: Submission) -> dict[str, Any]:
        """See Engine."""
        handle = {"submission_id": submission.submission_id}
        if self._get(submission.submission_id) is not None:
            return handle
        body = {
            "entrypoint": f"exec {shlex.quote(sys.executable)} -m trainyard_train",
            "submission_id": submission.submission_id,
            "runtime_env": {"env_vars": driver_environment(submission)},
            "metadata": {_JOB: submission.job_id, "trainyard_attempt": str(submission.attempt)},
        }
        response = self._request("POST", "/api/jobs/", json=body)
        if response.is_error:
            if self._get(submission.submission_id) is not None:
                return handle
            raise SubmissionRefused(f"Ray refused the job: {response.text.strip()[-500:]}")
        return handle

    def carries_on(self, handle: dict[str, Any], *, whole: bool, deadline_seconds: int | None) -> bool:
        """See Engine."""
        return self.describe(handle).phase is Phase.RUNNING

    def stop(self, handle: dict[str, Any]) -> None:
        """See Engine."""
        self._request("POST", f"/api/jobs/{quote(handle['submission_id'])}/stop")

    def delete(self, handle: dict[str, Any]) -> None:
        """See Engine."""
        response = self._request("DELETE", f"/api/jobs/{quote(handle['submission_id'])}")
        if response.status_code >= 500:
            raise EngineUnavailable(f"Ray answered {response.status_code} for the deletion: {response.text[:300]}")

    def submissions(self) -> list[dict[str, Any]]:
        """See Engine."""
        response = self._request("GET", "/api/jobs/")
        if response.is_error:
            raise EngineUnavailable(f"Ray answered {response.status_code} for its jobs")
        ours = [row for row in response.json() if row.get("submission_id") and _JOB in (row.get("metadata") or {})]
        return [{"submission_id": row["submission_id"]} for row in ours]

    def describe(self, handle: dict[str, Any]) -> EngineStatus:
        """See Engine."""
        found = self._get(handle["submission_id"])
        if found is None:
            return EngineStatus(
                Phase.MISSING, "Ray does not know the job any more; its head was restarted", kind=FailureKind.INFRASTRUCTURE
            )
        phase = _PHASES.get(found.get("status", ""), Phase.RUNNING)
        message = found.get("message")
        exit_code = found.get("driver_exit_code")
        kind = None
        if phase is Phase.FAILED and exit_code not in (None, 0):
            message, kind = f"the job's driver ended with exit code {exit_code}", cause_of_exit(exit_code)
        elif phase is Phase.FAILED and str(found.get("error_type")).startswith("JOB_SUPERVISOR_ACTOR"):
            kind = FailureKind.INFRASTRUCTURE
            if sentence := want_of_memory(str(message)):
                message, kind = sentence, FailureKind.OUT_OF_MEMORY
        if not phase.ended or not message:
            return EngineStatus(phase, kind=kind)
        return EngineStatus(phase, str(message).strip().splitlines()[0][:500], kind=kind)

    def last_lines(self, handle: dict[str, Any], count: int = 20) -> list[str]:
        """See Engine."""
        response = self._request("GET", f"/api/jobs/{quote(handle['submission_id'])}/logs")
        if response.is_error:
            return []
        return [line for line in str(response.json().get("logs") or "").splitlines() if line.strip()][-count:]

    def capacity(self) -> Capacity:
        """See Engine."""
        response = self._request("GET", "/api/v0/nodes", params={"limit": 1000, "detail": "true"})
        if response.is_error:
            raise EngineUnavailable(f"Ray answered {response.status_code} for its nodes")
        rows = response.json()["data"]["result"]["result"]
        nodes: list[dict[str, Any]] = [
            {
                "name": str(row.get("node_name") or row.get("node_ip")),
                "cpus": float(row["resources_total"].get("CPU", 0)),
                "gpus": float(row["resources_total"].get("GPU", 0)),
                "memory_gb": round(float(row["resources_total"].get("memory", 0)) / 2**30, 2),
            }
            for row in rows
            if row.get("state") == "ALIVE"
        ]
        if not any(node["cpus"] for node in nodes):
            raise EngineUnavailable("Ray's head has started and no machine has joined it yet")
        cpus, gpus, memory_gb = (round(sum(float(node[key]) for node in nodes), 2) for key in ("cpus", "gpus", "memory_gb"))
        return Capacity(cpus, gpus, memory_gb, nodes)
