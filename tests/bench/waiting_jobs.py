"""Many jobs that a queue holds back: how fast they become RayJobs, and what they cost the platform in memory."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kubernetes

from tests.bench.cold_start import SHORT, IdenticalRayJob
from tests.bench.goals import Goal
from tests.bench.pairs import Figure, alternate
from tests.chaos.kubernetes import ClusterYard, cluster_yard, started_cluster
from tests.cluster.kubectl import kubectl_of
from tests.cluster.release.platform import Platform
from tests.support.waiting import wait_for
from trainyard_api.engines.kubernetes.names import QUEUE
from workbench.go_tools import KUBERNETES, build

_EACH, _AT_ONCE = 150, 10
_PEER = "bench.trainyard.dev/peer"
#: MiB of all processes of a container but this one.
_MEMORY = """
import os, pathlib, re
found = [one.read_text() for one in pathlib.Path("/proc").glob("[0-9]*/status") if one.parent.name != str(os.getpid())]
print(sum(int(re.search(r"VmRSS:\\s+(\\d+)", one)[1]) for one in found if "VmRSS" in one) / 1024)
"""


@contextlib.contextmanager
def queueing_yard() -> Iterator[ClusterYard]:
    """The chart with Kueue and a quota for its team, in whose queue everything waits. Raises ServerUnavailable."""
    kubeconfig = started_cluster()
    kueue = Platform(kubeconfig, kubectl_of(kubeconfig), [])
    kueue.install_kueue()
    try:
        with cluster_yard('--set-json=global.teams.default.quota={"cpu": "2", "memory": "8Gi"}') as yard:
            yield yard
    finally:
        kueue.remove_kueue()


def waiting_jobs(yard: ClusterYard, pairs: int) -> list[Figure | Goal]:
    """Suspended RayJobs made per second, ten submissions at a time, against a loop of `kubectl create`; all of them stay and wait."""
    rendered, _ = IdenticalRayJob(yard).rendered("image-classification")
    for queue in yard.platform.names("clusterqueues"):
        yard.platform.kubectl("patch", queue, "--type=merge", "--patch", '{"spec": {"stopPolicy": "Hold"}}')
    namespace = yard.platform.team_namespace
    [queue] = yard.platform.names("localqueues", namespace)
    labels = {QUEUE: queue.rpartition("/")[2], _PEER: "true"}
    spec = {**rendered["spec"], "suspend": True}
    objects = kubernetes.client.CustomObjectsApi(kubernetes.config.new_client_from_config(str(yard.platform.kubeconfig)))

    def count(group: str, version: str, kind: str) -> int:
        page = objects.list_namespaced_custom_object(group, version, namespace, kind, limit=1)
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount") or 0)

    def peers() -> list[object]:
        page = objects.list_namespaced_custom_object("ray.io", "v1", namespace, "rayjobs", label_selector=_PEER, limit=1)
        return list(page["items"])

    def rate(make: Callable[[], object]) -> float:
        expected = count("ray.io", "v1", "rayjobs") + _EACH
        begun = time.monotonic()
        make()
        wait_for("every RayJob", lambda: count("ray.io", "v1", "rayjobs") >= expected, seconds=600, every=0.1)
        seconds = time.monotonic() - begun
        wait_for("the queue to know them", lambda: count("kueue.x-k8s.io", "v1beta2", "workloads") >= expected, seconds=600, every=0.5)
        return _EACH / seconds

    def submit(_: int) -> str:
        return yard.client.submit("image-classification", parameters={**SHORT["image-classification"], **yard.size}).id

    def ours() -> float:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return rate(lambda: list(pool.map(submit, range(_EACH))))

    def theirs() -> float:
        create = f"{build(KUBERNETES)['kubectl']} --kubeconfig={yard.platform.kubeconfig} create --filename"
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(_EACH):
                name = f"peer-{secrets.token_hex(6)}"
                metadata = {"name": name, "namespace": namespace, "labels": labels}
                (Path(folder) / f"{name}.json").write_text(json.dumps({**rendered, "metadata": metadata, "spec": spec}))
            loop = f'for one in {folder}/*; do {create} "$one" || exit 1; done'
            return rate(lambda: subprocess.run(["bash", "-c", loop], check=True, stdout=subprocess.DEVNULL))

    def memory() -> float:
        workloads = ("deployment/trainyard-api", "deployment/trainyard-controller")
        return sum(float(yard.kubectl("exec", one, "--", "python", "-c", _MEMORY)) for one in workloads)

    with yard.away(yard.operator):
        before = memory()
        first, second = alternate("waiting jobs", pairs, ours, theirs)
        grown = memory() - before
        # Before the operator is back: the finalizers that it would put on them would outlive it, and hold the namespace.
        objects.delete_collection_namespaced_custom_object("ray.io", "v1", namespace, "rayjobs", label_selector=_PEER)
        wait_for("the peer's RayJobs to go", lambda: not peers(), seconds=600, every=1)
    peer = "a loop of `kubectl create` of the RayJob that the platform renders"
    return [
        Figure("Suspended RayJobs made, 10 submissions at a time", "RayJobs/s", peer, first, second, 1.0, "higher"),
        Goal(f"Memory of the API and the controller, more after {pairs * _EACH} jobs that wait", "MiB", [grown], most=150),
    ]
