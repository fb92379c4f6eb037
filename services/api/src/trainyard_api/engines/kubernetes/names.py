"""Labels and names of what the engine makes, and where each kind lies in the API."""

from __future__ import annotations

from typing import Any

from trainyard_api.engines.base import Submission

JOB, ATTEMPT, TEAM = "trainyard.dev/job-id", "trainyard.dev/attempt", "trainyard.dev/team"
INSTANCE = "app.kubernetes.io/instance"
#: Set on a RayJob that was asked to end.
STOPPED = "trainyard.dev/stop-requested"
QUEUE, PRIORITY = "kueue.x-k8s.io/queue-name", "kueue.x-k8s.io/priority-class"
NODE_TYPE = "ray.io/node-type"

NODES, ALL_PODS = "/api/v1/nodes", "/api/v1/pods"


def rayjobs(namespace: str) -> str:
    """The RayJobs of a namespace."""
    return f"/apis/ray.io/v1/namespaces/{namespace}/rayjobs"


def pods(namespace: str) -> str:
    """The pods of a namespace."""
    return f"/api/v1/namespaces/{namespace}/pods"


def workloads(namespace: str) -> str:
    """Kueue's Workloads of a namespace."""
    return f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{namespace}/workloads"


def labels_of(submission: Submission, instance: str) -> dict[str, str]:
    """What every object of an attempt carries."""
    return {
        "app.kubernetes.io/name": "trainyard-job",
        "app.kubernetes.io/component": "training",
        "app.kubernetes.io/part-of": "trainyard",
        "app.kubernetes.io/managed-by": "trainyard",
        INSTANCE: instance,
        JOB: submission.job_id,
        ATTEMPT: str(submission.attempt),
        TEAM: submission.team,
    }


def attempt_of(item: dict[str, Any]) -> tuple[str, str] | None:
    """The job id and attempt that an object belongs to."""
    labels = item["metadata"].get("labels") or {}
    return (labels[JOB], labels[ATTEMPT]) if JOB in labels and ATTEMPT in labels else None
