"""How an attempt's ranks are laid out in pods, and how much each pod asks for.

The head's pod holds ranks too. When all of them fit beside the head on one node as it is now, there is no second pod: nothing more to
start, and the ranks talk through memory. Otherwise each pod, the head's too, holds one rank, or as many as share one core or one GPU.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trainyard_api.engines.kubernetes.quantities import GIB
from trainyard_templates.kubernetes import PodShape

#: What Ray's own processes, the driver and Ray Train's controller take in the head's pod; and Ray's in a worker's.
HEAD_CPUS, HEAD_BYTES = 0.2, 2 * GIB
WORKER_CPUS, WORKER_BYTES = 0.1, GIB // 2
#: A rank that names no memory gets this much for each of its cores, and at least for one.
RANK_BYTES_PER_CPU = 2 * GIB
_EPSILON = 1e-6


@dataclass(frozen=True)
class Rank:
    """What one rank asks for: cores, GPUs and bytes."""

    cpus: float
    gpus: float
    memory_bytes: int

    @classmethod
    def of(cls, resources: Mapping[str, Any]) -> Rank:
        """The rank of a job with these resources."""
        cpus, gpus = float(resources.get("cpus_per_worker") or 1.0), float(resources.get("gpus_per_worker") or 0.0)
        asked = resources.get("memory_gb_per_worker")
        return cls(cpus, gpus, math.ceil(float(asked) * GIB) if asked else math.ceil(RANK_BYTES_PER_CPU * max(1.0, cpus)))

    @property
    def sharing(self) -> int:
        """How many ranks share a pod that is meant for one: as many as one core, or one GPU, can serve."""
        by_cpu = math.floor(1 / self.cpus + _EPSILON)
        by_gpu = math.floor(1 / self.gpus + _EPSILON) if self.gpus else 1
        return max(1, by_cpu, by_gpu)

    def pod(self, ranks: int, *, cpus: float, memory_bytes: int) -> PodShape:
        """The pod of so many ranks beside what Ray itself takes. Ray counts whole cores and GPUs; a pod's ranks never share less."""
        return PodShape(
            cpu_millis=math.ceil((ranks * self.cpus + cpus) * 1000 - _EPSILON),
            memory_bytes=ranks * self.memory_bytes + memory_bytes,
            gpus=math.ceil(ranks * self.gpus - _EPSILON),
            ray_cpus=max(1, math.ceil(ranks * self.cpus - _EPSILON)),
        )


@dataclass(frozen=True)
class Layout:
    """The head's pod, and ``replicas`` of the worker's pod beside it."""

    head: PodShape
    worker: PodShape | None = None
    replicas: int = 0

    @property
    def pods(self) -> int:
        """How many pods in all."""
        return 1 + self.replicas


def lay_out(workers: int, resources: Mapping[str, Any], free: Iterable[Mapping[str, float]]) -> Layout:
    """The pods of ``workers`` ranks, given what each node has free now: cpus, gpus, memory_gb."""
    rank = Rank.of(resources)
    alone = rank.pod(workers, cpus=HEAD_CPUS, memory_bytes=HEAD_BYTES)
    if workers <= rank.sharing or any(_fits(alone, node) for node in free):
        return Layout(alone)
    beside_head = min(workers, rank.sharing)
    head = rank.pod(beside_head, cpus=HEAD_CPUS, memory_bytes=HEAD_BYTES)
    worker = rank.pod(rank.sharing, cpus=WORKER_CPUS, memory_bytes=WORKER_BYTES)
    return Layout(head, worker, math.ceil((workers - beside_head) / rank.sharing))


def _fits(pod: PodShape, node: Mapping[str, float]) -> bool:
    return (
        pod.cpu_millis <= node["cpus"] * 1000 + _EPSILON
        and pod.gpus <= node["gpus"] + _EPSILON
        and pod.memory_bytes <= node["memory_gb"] * GIB + _EPSILON
    )
