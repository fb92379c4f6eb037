"""Everything of the cluster that the engine follows, as local copies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from trainyard_api.engines.base import EngineUnavailable
from trainyard_api.engines.kubernetes import names, nodes, status
from trainyard_api.engines.kubernetes import pods as pod_words
from trainyard_api.engines.kubernetes.api import ApiError, ApiUnreachable, KubeApi, Object
from trainyard_api.engines.kubernetes.informer import Informer
from trainyard_api.engines.kubernetes.losses import Losses

#: Less than the controller's lease lasts.
SYNC_SECONDS = 5.0
_LIVING = "status.phase!=Succeeded,status.phase!=Failed"


def unavailable(error: ApiError | ApiUnreachable) -> EngineUnavailable:
    """The same as the controller knows it."""
    if isinstance(error, ApiError) and error.status in (401, 403):
        return EngineUnavailable(f"Kubernetes refuses the service account of the controller: {error}")
    return EngineUnavailable(str(error))


@dataclass
class Namespace:
    """What is followed in one namespace."""

    rayjobs: Informer
    pods: Informer
    workloads: Informer | None
    losses: Losses

    @property
    def informers(self) -> list[Informer]:
        """Each of them."""
        return [informer for informer in (self.rayjobs, self.pods, self.workloads) if informer is not None]


class Cluster:
    """The informers: RayJobs, their pods and Workloads in each namespace, nodes, and, where that is allowed, everybody's pods."""

    def __init__(self, api: KubeApi, namespaces: dict[str, bool], instance: str, on_change: Callable[[], object]) -> None:
        """Follow these namespaces, with Kueue's Workloads where True; ``on_change`` is called after each change to a job in a copy."""
        self._on_change = on_change
        selector = {"labelSelector": f"{names.JOB},{names.INSTANCE}={instance}"}
        self.namespaces = {
            namespace: self._namespace(api, namespace, selector, with_workloads=queued) for namespace, queued in namespaces.items()
        }
        self.nodes = Informer(api, names.NODES, trim=nodes.trim_node)
        self.all_pods = Informer(api, names.ALL_PODS, selector={"fieldSelector": _LIVING}, trim=nodes.trim_pod)
        self._started = False

    def _namespace(self, api: KubeApi, namespace: str, selector: dict[str, str], *, with_workloads: bool) -> Namespace:
        def changed(*_: object) -> None:
            self._on_change()

        rayjobs = Informer(
            api, names.rayjobs(namespace), selector=selector, trim=status.trim_rayjob, index=names.attempt_of, on_change=changed
        )
        workloads = None
        if with_workloads:
            workloads = Informer(api, names.workloads(namespace), trim=status.trim_workload, index=_owner_uid, on_change=changed)
        losses = Losses()

        def pod_changed(kind: str, pod: Object) -> None:
            attempt = names.attempt_of(pod)
            if kind != "DELETED" and attempt is not None:
                losses.look(attempt, pod, next(iter(rayjobs.group(attempt)), None))
            changed()

        pods = Informer(
            api, names.pods(namespace), selector=selector, trim=pod_words.trim_pod, index=names.attempt_of, on_change=pod_changed
        )
        return Namespace(rayjobs, pods, workloads, losses)

    def start(self) -> None:
        """Follow; the first call waits for the copies to be complete, within bounds.

        A namespace that cannot be followed is its own jobs' trouble. Raises EngineUnavailable when not even the nodes can.
        """
        if not self._started:
            for informer in self._informers:
                informer.start()
            self._started = True
            deadline = time.monotonic() + SYNC_SECONDS
            for informer in self._informers:
                informer.wait_synced(max(0.0, deadline - time.monotonic()))
        if not self.nodes.wait_synced(0):
            raise EngineUnavailable(self.nodes.problem or "the Kubernetes API has not answered yet")

    def stop(self) -> None:
        """End every watch."""
        for informer in self._informers:
            informer.stop()
        for informer in self._informers if self._started else ():
            informer.join(2)

    @property
    def _informers(self) -> list[Informer]:
        return [*(informer for namespace in self.namespaces.values() for informer in namespace.informers), self.nodes, self.all_pods]

    def check(self) -> None:
        """Raise EngineUnavailable while the nodes are not known as they are now."""
        if self.nodes.problem is not None:
            raise EngineUnavailable(self.nodes.problem)

    @property
    def silent_nodes(self) -> frozenset[str]:
        """The nodes that do not report."""
        return frozenset(str(node["metadata"]["name"]) for node in self.nodes.items() if not nodes.is_ready(node))

    def other_pods(self) -> Iterable[Object]:
        """The pods that belong to no job; none where the service account may not see them."""
        return [pod for pod in self.all_pods.items() if names.attempt_of(pod) is None]


def _owner_uid(item: Object) -> str | None:
    return next((str(owner["uid"]) for owner in item["metadata"].get("ownerReferences") or [] if owner.get("kind") == "RayJob"), None)
