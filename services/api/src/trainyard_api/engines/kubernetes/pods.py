"""What a pod's status means for its job, in one plain sentence. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trainyard_api.engines.kubernetes.api import Object
from trainyard_api.engines.kubernetes.names import NODE_TYPE
from trainyard_api.engines.kubernetes.quantities import GIB, number
from trainyard_api.failures import FailureKind

_PULL_TROUBLES = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError"}
_START_TROUBLES = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
#: A worker that comes before the head is there starts again; that is no trouble until it has happened this often.
_RESTARTS = 3
_LOST_NODE = {"DeletionByTaintManager", "DeletionByPodGC"}
_OUT_OF_MEMORY = "OOMKilled"
_STILLBORN_SECONDS = 5
_STATUS = ("phase", "reason", "message", "conditions", "containerStatuses")


def trim_pod(pod: Object) -> Object:
    """What is looked at of a job's pod."""
    spec, status = pod["spec"], pod.get("status") or {}
    limits = [{"resources": {"limits": (one.get("resources") or {}).get("limits") or {}}} for one in spec.get("containers") or []]
    return {
        "metadata": {name: value for name, value in pod["metadata"].items() if name not in ("managedFields", "ownerReferences")},
        "spec": {"nodeName": spec.get("nodeName"), "containers": limits},
        "status": {name: status[name] for name in _STATUS if name in status},
    }


@dataclass(frozen=True)
class Loss:
    """Why a pod is lost to its job, in a sentence and as a kind."""

    reason: str
    kind: FailureKind = FailureKind.INFRASTRUCTURE


def loss_of(pod: Object, started: str | None) -> Loss | None:
    """Why a pod of a job that had started at ``started`` (RFC 3339) is lost to it, or None while it is not.

    Before the start nothing is lost: KubeRay tries again.
    """
    if started is None:
        return None
    name, node = _called(pod), pod["spec"].get("nodeName") or "its node"
    status = pod.get("status", {})
    disruption = _condition(pod, "DisruptionTarget")
    if disruption is not None and disruption.get("status") == "True":
        if disruption.get("reason") in _LOST_NODE:
            return Loss(f"node {node} was lost, and {name} with it")
        return Loss(f"{name} was taken off node {node}: {_sentence(disruption.get('message') or disruption.get('reason') or '')}")
    if status.get("reason") == "Evicted":
        return Loss(f"node {node} evicted {name}: {_sentence(status.get('message') or '')}")
    if pod["metadata"].get("deletionTimestamp"):
        return None
    if _is_replaced(pod, started):
        return Loss("the head's pod was replaced, and what ran in it is gone")
    for ended in _ends(pod):
        if (ended.get("finishedAt") or started) >= started:
            out_of_memory = ended.get("reason") == _OUT_OF_MEMORY
            return Loss(f"{name} {_ending(pod, ended)}", FailureKind.OUT_OF_MEMORY if out_of_memory else FailureKind.INFRASTRUCTURE)
    if status.get("phase") == "Failed":
        return Loss(f"{name} failed: {_sentence(status.get('message') or status.get('reason') or 'Kubernetes does not say why')}")
    return None


def is_stillborn(pod: Object, started: str | None) -> bool:
    """Whether it is a head in the place of a lost one that is being deleted before KubeRay can have sent the driver to it again.

    KubeRay reaches a head once it was ready, and one that was takes ten failed probes not to be: longer than from here to its end.
    """
    metadata = pod["metadata"]
    if started is None or not metadata.get("deletionTimestamp") or not _is_replaced(pod, started):
        return False
    ready = (_condition(pod, "Ready") or {}).get("status") == "True"
    lived = datetime.fromisoformat(metadata["deletionTimestamp"]) - datetime.fromisoformat(metadata["creationTimestamp"])
    return not ready and lived.total_seconds() - int(metadata.get("deletionGracePeriodSeconds") or 0) <= _STILLBORN_SECONDS


def false_start_of(pod: Object) -> Loss | None:
    """How a head ended whose job had not started, told as the end of the last of several such heads; None when it has not."""
    ended = next(iter(_ends(pod)), None)
    if ended is None or not _is_head(pod) or pod["metadata"].get("deletionTimestamp"):
        return None
    if ended.get("reason") == _OUT_OF_MEMORY:
        return Loss(f"{_called(pod)} {_ending(pod, ended)}", FailureKind.OUT_OF_MEMORY)
    return Loss(f"{_called(pod)} {_ending(pod, ended)} each time it was started; its image must hold what jobs need", FailureKind.USER)


def trouble_of(pod: Object) -> str | None:
    """Why a pod does not start, or None when nothing is known to be in its way."""
    name = _called(pod)
    for container in pod.get("status", {}).get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _PULL_TROUBLES:
            return f"the image {container.get('image')} cannot be pulled: {_sentence(waiting.get('message') or waiting['reason'])}"
        if waiting.get("reason") in _START_TROUBLES:
            return f"{name} cannot be started: {_sentence(waiting.get('message') or waiting['reason'])}"
        again = int(container.get("restartCount") or 0)
        ended = (container.get("state") or {}).get("terminated") or (container.get("lastState") or {}).get("terminated")
        if ended and (again >= _RESTARTS or not (container.get("lastState") or {}).get("terminated")):
            return f"{name} {_ending(pod, ended)} while it started; it is started again"
    return None


def is_crowded_out(pod: Object) -> bool:
    """Whether the scheduler finds no node for it."""
    scheduled = _condition(pod, "PodScheduled")
    return scheduled is not None and scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"


def crowding(pods: list[Object], wanted: int) -> str:
    """Why those pods that no node has room for are not placed; the job has ``wanted`` in all."""
    waiting = [pod for pod in pods if is_crowded_out(pod)]
    message = str((_condition(waiting[0], "PodScheduled") or {}).get("message") or "")
    message = re.sub(r"^\d+/\d+ nodes are available: ", "", message.split(" preemption:")[0].split(" no new claims")[0])
    which = "it" if wanted == 1 else f"{len(waiting)} of its {wanted} pods"
    return f"no node has room for {which}: {_sentence(message)}"


def is_placed(pod: Object) -> bool:
    """Whether it has a node."""
    return bool(pod["spec"].get("nodeName"))


def _is_replaced(pod: Object, started: str) -> bool:
    return _is_head(pod) and str(pod["metadata"]["creationTimestamp"]) > started


def _is_head(pod: Object) -> bool:
    return bool((pod["metadata"].get("labels") or {}).get(NODE_TYPE) == "head")


def _called(pod: Object) -> str:
    return "the head's pod" if _is_head(pod) else f"the worker pod {pod['metadata']['name']}"


def _condition(pod: Object, kind: str) -> dict[str, Any] | None:
    return next((row for row in pod.get("status", {}).get("conditions") or [] if row.get("type") == kind), None)


def _ends(pod: Object) -> list[dict[str, Any]]:
    """How its container ended, the latest first, where it did."""
    rows = []
    for container in pod.get("status", {}).get("containerStatuses") or []:
        rows += [(container.get(state) or {}).get("terminated") for state in ("state", "lastState")]
    return [row for row in rows if row]


def _ending(pod: Object, ended: dict[str, Any]) -> str:
    if ended.get("reason") == _OUT_OF_MEMORY:
        limit = number(pod["spec"]["containers"][0].get("resources", {}).get("limits", {}).get("memory")) / GIB
        return f"was killed because it used more than its {limit:.3g} GiB of memory; raise memory_gb_per_worker"
    return f"ended with exit code {ended.get('exitCode')}"


def _sentence(message: str) -> str:
    return " ".join(message.split()).rstrip(".")[:500]
