"""What the cluster's nodes have, and have free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from trainyard_api.engines.base import Capacity
from trainyard_api.engines.kubernetes.api import Object
from trainyard_api.engines.kubernetes.quantities import GIB, GPU, number

_UNITS = ("cpus", "gpus", "memory_gb")


def trim_node(node: Object) -> Object:
    """What is needed of a node; its status holds every image on it."""
    status = node.get("status", {})
    return {
        "metadata": {key: node["metadata"].get(key) for key in ("name", "uid", "resourceVersion")},
        "spec": {key: node.get("spec", {}).get(key) for key in ("unschedulable", "taints")},
        "status": {"allocatable": status.get("allocatable"), "conditions": status.get("conditions")},
    }


def trim_pod(pod: Object) -> Object:
    """What is needed of a pod that may be anybody's: where it is and what it asks for."""
    return {
        "metadata": {key: pod["metadata"].get(key) for key in ("name", "namespace", "uid", "resourceVersion", "labels")},
        "spec": {"nodeName": pod["spec"].get("nodeName")},
        "requests": _requests(pod["spec"]),
    }


def is_ready(node: Object) -> bool:
    """Whether the node reports."""
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in node["status"].get("conditions") or [])


def capacity(nodes: Iterable[Object], others: Iterable[Object]) -> Capacity:
    """What the nodes that take jobs have, and what the pods in ``others`` (trimmed) take of it."""
    nodes = list(nodes)
    rows = free_of(nodes, [])
    whole, left = _sums(rows), _sums(free_of(nodes, others))
    return Capacity(**whole, nodes=rows, taken={unit: round(whole[unit] - left[unit], 3) for unit in _UNITS})


def _sums(rows: list[dict[str, Any]]) -> dict[str, float]:
    return {unit: round(sum(float(row[unit]) for row in rows), 3) for unit in _UNITS}


def free_of(nodes: Iterable[Object], pods: Iterable[Object]) -> list[dict[str, Any]]:
    """Each node that takes jobs: its name, and what the pods on it leave of its cores, GPUs and GiB."""
    taken: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(_UNITS, 0.0))
    for pod in pods:
        name = pod["spec"].get("nodeName")
        if name:
            for unit, amount in pod["requests"].items():
                taken[name][unit] += amount
    rows = []
    for node in nodes:
        if _takes_jobs(node):
            has, name = _amounts(node["status"].get("allocatable") or {}), node["metadata"]["name"]
            rows.append({"name": name, **{unit: max(0.0, round(has[unit] - taken[name][unit], 3)) for unit in _UNITS}})
    return sorted(rows, key=lambda row: str(row["name"]))


def _takes_jobs(node: Object) -> bool:
    """Whether pods of jobs may be placed there: it reports, is not cordoned, and has no taint but that of GPU nodes."""
    taints = [taint for taint in node["spec"].get("taints") or [] if taint.get("effect") in ("NoSchedule", "NoExecute")]
    return is_ready(node) and not node["spec"].get("unschedulable") and all(taint.get("key") == GPU for taint in taints)


def _amounts(resources: dict[str, Any]) -> dict[str, float]:
    return {
        "cpus": number(resources.get("cpu")),
        "gpus": number(resources.get(GPU)),
        "memory_gb": number(resources.get("memory")) / GIB,
    }


def _requests(spec: dict[str, Any]) -> dict[str, float]:
    """What the scheduler counts: all containers together, or the largest init container where that is more; and the overhead."""
    each = [_amounts(container.get("resources", {}).get("requests") or {}) for container in spec.get("containers") or []]
    first = [_amounts(container.get("resources", {}).get("requests") or {}) for container in spec.get("initContainers") or []]
    overhead = _amounts(spec.get("overhead") or {})
    return {unit: max([sum(row[unit] for row in each), *(row[unit] for row in first)]) + overhead[unit] for unit in _UNITS}
