# ruff: noqa: F811 - fixtures of another module are imported, and asked for by name
"""The Kubernetes engine on a real cluster with KubeRay: the contract that every engine keeps, and what only a cluster can do to a job."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.api.engines.test_contract import *  # noqa: F403 - the contract's tests, on this file's bench
from tests.cluster.kubectl import Kubectl
from tests.cluster.test_rayjob import helm, image, kuberay, kueue, queue, team  # noqa: F401 - fixtures
from tests.support.engines import PROGRAMS, Bench, program
from tests.support.minio import Minio, minio_server
from tests.support.waiting import wait_for

from trainyard_api.engines.base import EngineStatus, Phase, Submission
from trainyard_api.engines.kubernetes import KubernetesEngine
from trainyard_api.engines.kubernetes.api import KubeApi, connect
from trainyard_api.failures import FailureKind
from trainyard_api.objects import ObjectStore, open_store
from trainyard_api.settings import Settings
from trainyard_api.teams import Team, Teams
from trainyard_templates import get

pytestmark = pytest.mark.cluster

#: Small enough that several find a place on one small node.
SMALL = {"cpus": 0.1, "memory_gb": 1.0}


def address_towards(node: str) -> str:
    """This machine's address as the node sees it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((node, 9))  # sends nothing
        return str(probe.getsockname()[0])


@pytest.fixture(scope="module")
def store(kubectl: Kubectl, kuberay: str) -> Iterator[Minio]:
    """A MinIO on this machine where the node reaches it, and the Secret with its keys in the team's namespace."""
    node = kubectl("get", "nodes", "--output", "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}")
    patch = pytest.MonkeyPatch()
    with minio_server(host=address_towards(node)) as server:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        keys = [f"--from-literal={name}={server.environment[name]}" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
        kubectl("create", "secret", "generic", "objects", "--namespace", kuberay, *keys)
        yield server
    patch.undo()


@pytest.fixture(scope="module")
def objects(store: Minio) -> ObjectStore:
    """A bucket of it."""
    import boto3

    boto3.client("s3").create_bucket(Bucket="trainyard")
    return open_store("s3://trainyard")


@dataclass(frozen=True)
class Lab:
    """Engines on the team's namespace."""

    namespace: str
    objects: ObjectStore
    settings: Settings
    kubectl: Kubectl

    def engine(self, queue: str | None = None, **changed: Any) -> KubernetesEngine:
        """One more engine, as another controller would open it."""
        teams = Teams(items=(Team(name="default", namespace=self.namespace, queue=queue),))
        return KubernetesEngine(KubeApi(connect()), self.settings.model_copy(update=changed), teams)

    def left(self, job_id: str) -> list[str]:
        """What is there of a job."""
        kinds = "rayjobs,rayclusters,pods,services,secrets,configmaps"
        found = json.loads(self.kubectl("get", kinds, "--namespace", self.namespace, "--output", "json"))["items"]
        return [f"{item['kind']}/{item['metadata']['name']}" for item in found if job_id in item["metadata"]["name"]]


@pytest.fixture(scope="module")
def lab(
    kubeconfig: Path,
    kubectl: Kubectl,
    kuberay: str,
    image: Callable[[str], tuple[str, str]],
    objects: ObjectStore,
    store: Minio,
) -> Iterator[Lab]:
    """Where jobs are submitted."""
    settings = Settings(
        engine="kubernetes",
        object_store_url="s3://trainyard",
        trainer_image=":".join(image("trainer-cpu")),
        job_secret="objects",
        job_s3_endpoint_url=store.endpoint,
        instance="contract",
    )
    patch = pytest.MonkeyPatch()
    patch.setenv("KUBECONFIG", str(kubeconfig))
    yield Lab(kuberay, objects, settings, kubectl)
    patch.undo()


@pytest.fixture(scope="module")
def engine(lab: Lab) -> Iterator[KubernetesEngine]:
    """The engine of most tests."""
    engine = lab.engine()
    yield engine
    engine.close()


@pytest.fixture
def bench(lab: Lab, engine: KubernetesEngine) -> Bench:
    """For the contract: programs of one small worker."""
    return Bench(engine, lambda course: program(lab.objects, PROGRAMS[course], **SMALL))


def until(
    engine: KubernetesEngine, handle: dict[str, Any], what: str, there: Callable[[EngineStatus], object], seconds: int = 240
) -> EngineStatus:
    """The first status that is as wanted."""

    def probe() -> EngineStatus | None:
        status = engine.describe(handle)
        return status if there(status) else None

    return wait_for(f"{what}, last {engine.describe(handle)}", probe, seconds=seconds, every=0.2)


def ended(status: EngineStatus) -> bool:
    return status.phase.ended


def digits(lab: Lab, **resources: Any) -> Submission:
    """A short training of the ready image trainer on two ranks."""
    kind = get("image-classification")
    spec = kind.render(kind.validate({"workers": 2, "epochs": 2, "width": 8, **resources}))
    given = program(lab.objects, "", workers=2)
    environment = {**given.environment, "TRAINYARD_SPEC": spec.model_dump_json()}
    return replace(given, environment=environment, resources=spec.resources.model_dump(mode="json"))


def trained(lab: Lab, engine: KubernetesEngine, given: Submission) -> None:
    """It ends well, and nothing of it is left behind."""
    handle = engine.submit(given)
    status = until(engine, handle, "the end", ended, seconds=420)
    assert status.phase is Phase.SUCCEEDED, (status, engine.last_lines(handle))
    result = json.loads(lab.objects.get_bytes(f"jobs/{given.job_id}/attempts/1/result.json"))
    assert result["outcome"] == "succeeded", result
    engine.delete(handle)
    wait_for("nothing to be left", lambda: not lab.left(given.job_id), seconds=180, every=0.5)


def test_two_ranks_beside_the_head_train_the_digits(lab: Lab, engine: KubernetesEngine) -> None:
    trained(lab, engine, digits(lab, cpus_per_worker=0.2, memory_gb_per_worker=1.5))


def test_ranks_for_which_no_node_has_room_together_get_a_pod_each(
    lab: Lab, engine: KubernetesEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainyard_api.engines.kubernetes.nodes.free_of", lambda *_: [])
    given = digits(lab, cpus_per_worker=0.51, memory_gb_per_worker=1.5)
    assert len(engine.rayjob(given, Team(name="default", namespace=lab.namespace))["spec"]["rayClusterSpec"]["workerGroupSpecs"]) == 1
    trained(lab, engine, given)


def test_an_image_that_cannot_be_pulled_is_told_within_moments(lab: Lab) -> None:
    engine = lab.engine(trainer_image="localhost:5001/trainyard/trainer:no-such-tag")
    try:
        handle = engine.submit(program(lab.objects, PROGRAMS["succeeds"], **SMALL))
        status = until(engine, handle, "the sentence", lambda status: status.message, seconds=180)
        assert (status.phase, "the image localhost:5001/trainyard/trainer:no-such-tag cannot be pulled" in str(status.message)) == (
            Phase.PENDING,
            True,
        )
        engine.stop(handle)
        assert until(engine, handle, "the end", ended).phase is Phase.STOPPED
        engine.delete(handle)
    finally:
        engine.close()


def test_a_job_that_no_node_has_room_for_is_told_so(lab: Lab, engine: KubernetesEngine) -> None:
    handle = engine.submit(program(lab.objects, PROGRAMS["succeeds"], cpus=900.0))
    status = until(engine, handle, "the sentence", lambda status: status.message, seconds=180)
    assert status.message == "no node has room for it: 1 Insufficient cpu, 1 Insufficient memory"
    assert (status.crowded, status.incomplete) == (True, True)
    engine.stop(handle)
    until(engine, handle, "the end", ended)
    engine.delete(handle)


def test_a_quota_that_is_used_up_is_told(lab: Lab, engine: KubernetesEngine) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "tight"}, "spec": {"hard": {"requests.memory": "3Gi"}}}
    lab.kubectl("create", "--namespace", lab.namespace, "--filename", "-", input=json.dumps(quota))
    counted = ("get", "resourcequota", "tight", "--namespace", lab.namespace, "--output", "jsonpath={.status.used}")
    try:
        wait_for("the quota to count", lambda: lab.kubectl(*counted), seconds=180, every=0.2)
        handle = engine.submit(program(lab.objects, PROGRAMS["succeeds"], cpus=0.1, memory_gb=8.0))
        status = until(engine, handle, "the sentence", lambda status: status.message, seconds=180)
        assert str(status.message).startswith("the team's quota is used up: exceeded quota: tight")
        engine.stop(handle)
        until(engine, handle, "the end", ended)
        engine.delete(handle)
    finally:
        lab.kubectl("delete", "resourcequota", "tight", "--namespace", lab.namespace)


#: Run in the head's pod: ends the process that a Ray cluster cannot do without.
KILL_GCS = """
import contextlib, os, pathlib, signal
for process in pathlib.Path("/proc").glob("[0-9]*"):
    with contextlib.suppress(OSError):
        if (process / "comm").read_text().strip() == "gcs_server":
            os.kill(int(process.name), signal.SIGKILL)
"""


@pytest.mark.parametrize("lost", ["pods", "rayclusters", "gcs_server"])
def test_a_head_that_is_lost_dooms_its_attempt_for_every_controller(lab: Lab, engine: KubernetesEngine, lost: str) -> None:
    given = program(lab.objects, PROGRAMS["runs until stopped"], **SMALL)
    handle = engine.submit(given)
    until(engine, handle, "running", lambda status: status.phase is Phase.RUNNING)
    other = lab.engine()
    try:
        assert other.describe({"submission_id": given.submission_id}).phase is Phase.RUNNING
        ours = (f"--selector=trainyard.dev/job-id={given.job_id}", "--namespace", lab.namespace)
        if lost == "gcs_server":
            [head] = lab.kubectl("get", "pods", *ours, "--output", "name").split()
            lab.kubectl("exec", head, "--namespace", lab.namespace, "--container", "ray", "--", "python", "-c", KILL_GCS)
        else:
            lab.kubectl("delete", lost, *ours, "--wait=false")
        killed = time.monotonic()
        for each in (engine, other):
            status = until(each, handle, "doomed", lambda status: status.doomed, seconds=180)
            assert "the head's pod" in str(status.message)
            assert status.kind is FailureKind.INFRASTRUCTURE
        assert time.monotonic() - killed < 60
        engine.stop(handle)
        assert until(engine, handle, "the end", ended).phase is Phase.STOPPED
        engine.delete(handle)
    finally:
        other.close()


def test_a_queue_holds_a_job_back_and_says_why(lab: Lab, queue: str) -> None:
    engine = lab.engine(queue=queue)
    try:
        first = engine.submit(program(lab.objects, PROGRAMS["succeeds"], **SMALL))
        status = until(engine, first, "the queue", lambda status: "ClusterQueue test-queue is " in str(status.message), seconds=180)
        assert (status.phase, str(status.message).startswith(f"waits in the queue {queue!r}: ")) == (Phase.QUEUED, True)
        second = engine.submit(program(lab.objects, PROGRAMS["succeeds"], **SMALL))
        until(engine, second, "the queue", lambda status: status.phase is Phase.QUEUED, seconds=180)
        engine.stop(second)
        assert until(engine, second, "the end", ended, seconds=120).phase is Phase.STOPPED
        engine.delete(second)
        lab.kubectl("patch", "clusterqueue", "test-queue", "--type=merge", "--patch", '{"spec": {"stopPolicy": "None"}}')
        assert until(engine, first, "the end", ended).phase is Phase.SUCCEEDED
        engine.delete(first)
    finally:
        engine.close()
