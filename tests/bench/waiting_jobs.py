"""Many jobs that a queue holds back: how fast they become RayJobs, and what they cost the platform in memory."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

import kubernetes

from tests.bench.cold_start import SHORT, IdenticalRayJob
from tests.bench.goals import Goal
from tests.bench.growth import Growth
from tests.bench.pairs import Figure, alternate
from tests.chaos.kubernetes import ClusterYard, cluster_yard, started_cluster
from tests.cluster.kubectl import kubectl_of
from tests.cluster.release.platform import Platform
from tests.support.waiting import wait_for
from trainyard_api.engines.kubernetes.names import QUEUE
from workbench.go_tools import KUBERNETES, build

_EACH, _AT_ONCE = 150, 10
_WAITING = [1_000, 2_500, 5_000]
_CONTROLLER = "deployment/trainyard-controller"
#: MiB of all processes of a container but this one.
_MEMORY = """
import os, pathlib, re
found = [one.read_text() for one in pathlib.Path("/proc").glob("[0-9]*/status") if one.parent.name != str(os.getpid())]
print(sum(int(re.search(r"VmRSS:\\s+(\\d+)", one)[1]) for one in found if "VmRSS" in one) / 1024)
"""


class HeldQueue:
    """The queue of the yard's team, held, so that every RayJob put into it stays suspended; nothing but Kueue works on them."""

    def __init__(self, yard: ClusterYard) -> None:
        self.yard = yard
        self.namespace = yard.platform.team_namespace
        self.kubeconfig = yard.platform.kubeconfig
        self._objects = kubernetes.client.CustomObjectsApi(kubernetes.config.new_client_from_config(str(self.kubeconfig)))

    def hold(self) -> None:
        """Let nothing of it go, and take KubeRay's operator away."""
        for queue in self.yard.platform.names("clusterqueues"):
            self.yard.platform.kubectl("patch", queue, "--type=merge", "--patch", '{"spec": {"stopPolicy": "Hold"}}')
        self.yard.kubectl("scale", self.yard.operator, "--replicas=0")

    def empty(self) -> None:
        """Take all RayJobs away, and the controller, which would make them anew."""
        self.yard.kubectl("scale", _CONTROLLER, "--replicas=0")
        wait_for("the RayJobs to go", self._gone, seconds=1200, every=1)

    def _gone(self) -> bool:
        """Whether no RayJob is left; the API server takes away as many at a time as it can within a minute."""
        try:
            self._objects.delete_collection_namespaced_custom_object("ray.io", "v1", self.namespace, "rayjobs")
        except kubernetes.client.ApiException as error:
            if error.status != HTTPStatus.GATEWAY_TIMEOUT:
                raise
        return not self._count("ray.io", "v1", "rayjobs")

    @property
    def name(self) -> str:
        """What a RayJob's label names it by."""
        [queue] = self.yard.platform.names("localqueues", self.namespace)
        return queue.rpartition("/")[2]

    def submit(self, jobs: int) -> None:
        """So many submissions, some at a time."""
        parameters = {**SHORT["image-classification"], **self.yard.size}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda _: self.yard.client.submit("image-classification", parameters=parameters), range(jobs)))

    def seconds(self, jobs: int, make: Callable[[], object]) -> float:
        """Until there are so many RayJobs more; returns when the queue knows them, too."""
        expected = self._count("ray.io", "v1", "rayjobs") + jobs
        begun = time.monotonic()
        make()
        wait_for("every RayJob", lambda: self._count("ray.io", "v1", "rayjobs") >= expected, seconds=3600, every=0.1)
        seconds = time.monotonic() - begun
        wait_for(
            "the queue to know them", lambda: self._count("kueue.x-k8s.io", "v1beta2", "workloads") >= expected, seconds=3600, every=0.5
        )
        return seconds

    def memory(self) -> float:
        """MiB of the API and the controller."""
        found = {
            one: float(self.yard.kubectl("exec", one, "--", "python", "-c", _MEMORY)) for one in ("deployment/trainyard-api", _CONTROLLER)
        }
        print(", ".join(f"{one}: {mib:.0f} MiB" for one, mib in found.items()), file=sys.stderr, flush=True)
        return sum(found.values())

    def _count(self, group: str, version: str, kind: str) -> int:
        page = self._objects.list_namespaced_custom_object(group, version, self.namespace, kind, limit=1)
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount") or 0)


@contextlib.contextmanager
def held_queue() -> Iterator[HeldQueue]:
    """The chart with Kueue and a quota for its team, in whose queue everything waits. Raises ServerUnavailable."""
    kubeconfig = started_cluster()
    kueue = Platform(kubeconfig, kubectl_of(kubeconfig), [])
    kueue.install_kueue()
    try:
        with cluster_yard('--set-json=global.teams.default.quota={"cpu": "2", "memory": "8Gi"}') as yard:
            queue = HeldQueue(yard)
            queue.hold()
            try:
                yield queue
            finally:
                queue.empty()
    finally:
        kueue.remove_kueue()


def waiting_jobs(queue: HeldQueue, pairs: int) -> list[Figure]:
    """Suspended RayJobs made per second, ten submissions at a time, against a loop of `kubectl create`; all of them stay and wait."""
    rendered, _ = IdenticalRayJob(queue.yard).rendered("image-classification")
    with tempfile.TemporaryDirectory() as folder:
        spec = {**rendered["spec"], "suspend": True}
        create = f"{build(KUBERNETES)['kubectl']} --kubeconfig={queue.kubeconfig} create --filename"
        loop = f'for one in {folder}/*; do {create} "$one" || exit 1; done'

        def theirs() -> float:
            for number in range(_EACH):
                metadata = {"name": f"peer-{secrets.token_hex(6)}", "namespace": queue.namespace, "labels": {QUEUE: queue.name}}
                (Path(folder) / f"{number}.json").write_text(json.dumps({**rendered, "metadata": metadata, "spec": spec}))
            return _EACH / queue.seconds(_EACH, lambda: subprocess.run(["bash", "-c", loop], check=True, stdout=subprocess.DEVNULL))

        first, second = alternate("waiting jobs", pairs, lambda: _EACH / queue.seconds(_EACH, lambda: queue.submit(_EACH)), theirs)
    peer = "a loop of `kubectl create` of the RayJob that the platform renders"
    return [Figure("Suspended RayJobs made, 10 submissions at a time", "RayJobs/s", peer, first, second, 1.0, "higher")]


def waiting_memory(queue: HeldQueue) -> list[Growth | Goal]:
    """What the API and the controller hold while so many jobs wait."""
    readings, there = [queue.memory()], 0
    for jobs in _WAITING:
        seconds = queue.seconds(jobs - there, lambda more=jobs - there: queue.submit(more))  # type: ignore[misc]
        print(f"{jobs} jobs wait; the last {jobs - there} in {seconds:.0f} s", file=sys.stderr, flush=True)
        there = jobs
        readings.append(queue.memory())
    [empty, *grown] = readings
    return [
        Growth("Memory of the API and the controller", "MiB", "jobs that wait", _WAITING, [[one] for one in grown], most=0.2),
        Goal(f"Memory of the API and the controller, more while {there:,} jobs wait", "MiB", [grown[-1] - empty], most=150),
    ]
