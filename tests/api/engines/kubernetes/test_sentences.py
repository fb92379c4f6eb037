"""Every trouble that Kubernetes has with a job is one plain sentence on it."""

from typing import Any

import pytest

from trainyard_api.engines.base import EngineStatus, Phase
from trainyard_api.engines.kubernetes import names as k8s
from trainyard_api.engines.kubernetes.pods import Loss, loss_of, trim_pod
from trainyard_api.engines.kubernetes.status import View, started_at, status_of, trim_rayjob
from trainyard_api.failures import FailureKind

STARTED = "2026-01-01T00:01:00Z"


def rayjob(
    deployment: str = "", job: str = "", *, replicas: int = 1, suspend: bool = False, queue: str = "", **status: Any
) -> dict[str, Any]:
    labels = {k8s.QUEUE: queue} if queue else {}
    spec = {"suspend": suspend, "activeDeadlineSeconds": 90, "rayClusterSpec": {"workerGroupSpecs": [{"replicas": replicas}]}}
    whole = {
        "metadata": {"name": "ty-j1-1", "uid": "1", "labels": labels},
        "spec": spec,
        "status": {"jobDeploymentStatus": deployment, "jobStatus": job, "rayJobInfo": {"startTime": STARTED}, **status},
    }
    return trim_rayjob(whole)


def pod(
    name: str = "worker", *, head: bool = False, node: str | None = "n1", created: str = "2026-01-01T00:00:30Z", **status: Any
) -> dict[str, Any]:
    spec = {"containers": [{"resources": {"limits": {"memory": "2Gi"}}}], **({"nodeName": node} if node else {})}
    labels = {k8s.NODE_TYPE: "head" if head else "worker"}
    whole = {
        "metadata": {"name": name, "labels": labels, "creationTimestamp": created},
        "spec": spec,
        "status": {"phase": "Running", **status},
    }
    return trim_pod(whole)


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "reason": reason, "message": message}]}


def ended(code: int, reason: str = "Error", at: str = "2026-01-01T00:02:00Z", where: str = "state") -> dict[str, Any]:
    return {"containerStatuses": [{"image": "i", where: {"terminated": {"exitCode": code, "reason": reason, "finishedAt": at}}}]}


def restarted(times: int) -> dict[str, Any]:
    rows = ended(1, where="lastState")
    rows["containerStatuses"][0]["restartCount"] = times
    return rows


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {
        "phase": "Pending",
        "containerStatuses": [{"image": "registry/trainer:1", "state": {"waiting": {"reason": reason, "message": message}}}],
    }


RAYS_MEMORY_MONITOR = (
    "Unexpected error occurred: 2 worker(s) were killed due to the node running low on memory. "
    "Memory on the node (IP: 10.244.0.109, ID: cfe5) was 2.87GB used / 3.00GB limit (0.957198)\nand more"
)
NO_NODE = "0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available: 3 No victims."


@pytest.mark.parametrize(
    ("pods", "sentence"),
    [
        (
            [pod(head=True), pod(node=None, phase="Pending", **condition("PodScheduled", "False", "Unschedulable", NO_NODE))],
            "no node has room for 1 of its 2 pods: 1 Insufficient cpu, 2 Insufficient nvidia.com/gpu",
        ),
        (
            [pod(head=True, **waiting("ErrImagePull", 'failed to pull\nimage "x": not found.'))],
            'the image registry/trainer:1 cannot be pulled: failed to pull image "x": not found',
        ),
        ([pod(head=True, **waiting("InvalidImageName"))], "the image registry/trainer:1 cannot be pulled: InvalidImageName"),
        (
            [pod(head=True, **waiting("CreateContainerConfigError", 'secret "objects" not found'))],
            'the head\'s pod cannot be started: secret "objects" not found',
        ),
        (
            [pod(head=True), pod(**restarted(3))],
            "the worker pod worker ended with exit code 1 while it started; it is started again",
        ),
        ([pod(head=True, **ended(1)), pod()], "the head's pod ended with exit code 1 while it started; it is started again"),
        ([pod(head=True), pod(**restarted(1))], None),
        ([pod(head=True), pod(**waiting("ContainerCreating"))], None),
        ([pod(head=True, node="n2"), pod()], "node n2 does not answer"),
    ],
)
def test_why_a_job_does_not_start(pods: list[dict[str, Any]], sentence: str | None) -> None:
    status = status_of(View(rayjob("Initializing"), pods, silent_nodes=frozenset({"n2"})))
    assert (status.phase, status.message, status.doomed) == (Phase.PENDING, sentence, False)


def test_one_job_of_one_pod_is_called_it() -> None:
    alone = pod(head=True, node=None, phase="Pending", **condition("PodScheduled", "False", "Unschedulable", NO_NODE))
    status = status_of(View(rayjob("Initializing", replicas=0), [alone]))
    assert status.message == "no node has room for it: 1 Insufficient cpu, 2 Insufficient nvidia.com/gpu"
    assert status.crowded


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            'FailedCreateWorkerPod\npods "x" is forbidden: exceeded quota: team, requested: requests.cpu=1, used: requests.cpu=4',
            "the team's quota is used up: exceeded quota: team, requested: requests.cpu=1, used: requests.cpu=4",
        ),
        (
            'pods "x" is forbidden: violates PodSecurity "restricted:latest"',
            'its pods are refused: pods "x" is forbidden: violates PodSecurity "restricted:latest"',
        ),
    ],
)
def test_pods_that_may_not_be_made(message: str, sentence: str) -> None:
    conditions = [{"type": "ReplicaFailure", "status": "True", "message": message}]
    status = status_of(View(rayjob("Initializing", rayClusterStatus={"conditions": conditions}), [pod(head=True)]))
    assert (status.message, status.incomplete, status.crowded) == (sentence, True, False)


def test_a_job_that_kuberay_does_not_take_up() -> None:
    new = {**rayjob(), "status": {}}
    assert status_of(View(new, age=5)).message is None
    assert "KubeRay has not taken the job up" in str(status_of(View(new, age=15)).message)
    assert status_of(View(rayjob("Initializing"), age=15)).message is None


def test_a_job_is_whole_when_each_pod_has_its_node() -> None:
    assert status_of(View(rayjob("Initializing"), [pod(head=True)])).incomplete
    assert not status_of(View(rayjob("Initializing"), [pod(head=True), pod()])).incomplete


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        (None, "waits in the queue 'main'"),
        (
            {
                "type": "QuotaReserved",
                "status": "False",
                "message": "couldn't assign flavors to pod set head: insufficient unused quota for cpu",
            },
            "waits in the queue 'main': couldn't assign flavors to pod set head: insufficient unused quota for cpu",
        ),
    ],
)
def test_why_it_waits_in_its_queue(conditions: dict[str, Any] | None, sentence: str) -> None:
    workload = {"status": {"conditions": [conditions]}} if conditions else None
    status = status_of(View(rayjob("Suspended", suspend=True, queue="main"), workload=workload))
    assert (status.phase, status.message, status.doomed) == (Phase.QUEUED, sentence, False)


def test_a_job_whose_resources_the_queue_took_back_is_doomed() -> None:
    evicted = {"type": "Evicted", "status": "True", "reason": "Preempted", "message": "Preempted to accommodate a workload"}
    status = status_of(View(rayjob("Suspended", suspend=True, queue="main"), workload={"status": {"conditions": [evicted]}}))
    assert (status.doomed, status.message) == (True, "the queue took its resources back: Preempted to accommodate a workload")


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        (
            pod(**ended(137, "OOMKilled")),
            "the worker pod worker was killed because it used more than its 2 GiB of memory; raise memory_gb_per_worker",
        ),
        (pod(head=True, **ended(1)), "the head's pod ended with exit code 1"),
        (pod(**ended(1, where="lastState")), "the worker pod worker ended with exit code 1"),
        (
            pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory. "),
            "node n1 evicted the worker pod worker: The node was low on resource: memory",
        ),
        (
            pod(**condition("DisruptionTarget", "True", "DeletionByTaintManager", "deleting due to NoExecute taint")),
            "node n1 was lost, and the worker pod worker with it",
        ),
        (
            pod(head=True, **condition("DisruptionTarget", "True", "EvictionByEvictionAPI", "Eviction API: evicting")),
            "the head's pod was taken off node n1: Eviction API: evicting",
        ),
        (pod(head=True, created="2026-01-01T00:05:00Z"), "the head's pod was replaced, and what ran in it is gone"),
        (pod(phase="Failed", message="Node is shutting down"), "the worker pod worker failed: Node is shutting down"),
    ],
)
def test_why_a_pod_is_lost(lost: dict[str, Any], sentence: str) -> None:
    kind = FailureKind.OUT_OF_MEMORY if "memory_gb_per_worker" in sentence else FailureKind.INFRASTRUCTURE
    loss = loss_of(lost, STARTED)
    assert loss == Loss(sentence, kind)
    assert loss_of(lost, None) is None, "before the driver starts, KubeRay tries again"
    assert status_of(View(rayjob("Running", "RUNNING"), [lost], loss=loss)) == EngineStatus(Phase.RUNNING, sentence, doomed=True, kind=kind)
    assert status_of(View(rayjob("Failed", "FAILED", message="exit code 1"), loss=loss)) == EngineStatus(Phase.FAILED, sentence, kind=kind)


def test_what_is_no_loss() -> None:
    assert loss_of(pod(), STARTED) is None
    assert loss_of(pod(head=True), STARTED) is None
    assert loss_of(pod(**ended(1, where="lastState", at="2026-01-01T00:00:40Z")), STARTED) is None
    going = pod(**ended(143))
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:02:00Z"
    assert loss_of(going, STARTED) is None


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (rayjob("Complete", "SUCCEEDED"), EngineStatus(Phase.SUCCEEDED)),
        (rayjob("Running", "SUCCEEDED"), EngineStatus(Phase.SUCCEEDED)),
        (rayjob("Complete", "STOPPED"), EngineStatus(Phase.STOPPED)),
        (rayjob("Failed", "FAILED", message="it broke\nlast lines"), EngineStatus(Phase.FAILED, "it broke")),
        (rayjob("ValidationFailed", message="too long"), EngineStatus(Phase.FAILED, "KubeRay refuses the RayJob: too long")),
        (
            rayjob("Failed", "RUNNING", reason="DeadlineExceeded"),
            EngineStatus(Phase.FAILED, "ran past its deadline; KubeRay ended it after 90 s"),
        ),
        (
            rayjob("Failed", reason="SubmissionFailed"),
            EngineStatus(Phase.FAILED, "KubeRay gave up: SubmissionFailed", kind=FailureKind.INFRASTRUCTURE),
        ),
        (
            rayjob("Failed", "FAILED", message="failed with exit code 1"),
            EngineStatus(Phase.FAILED, "the job's driver ended with exit code 1"),
        ),
        (
            rayjob("Failed", "FAILED", message=RAYS_MEMORY_MONITOR),
            EngineStatus(
                Phase.FAILED, "ran out of memory: 2.87 of 3.00 GiB were in use where its driver ran", kind=FailureKind.OUT_OF_MEMORY
            ),
        ),
        (
            rayjob("Failed", "FAILED", message="failed with exit code -9"),
            EngineStatus(Phase.FAILED, "the job's driver ended with exit code -9", kind=FailureKind.INFRASTRUCTURE),
        ),
        (rayjob("Running", "RUNNING"), EngineStatus(Phase.RUNNING)),
        (rayjob("Running", "PENDING", replicas=-1), EngineStatus(Phase.PENDING)),
        (rayjob("", replicas=-1), EngineStatus(Phase.PENDING)),
    ],
)
def test_every_state_of_kuberay(job: dict[str, Any], expected: EngineStatus) -> None:
    assert status_of(View(job)) == expected


def test_pods_on_a_node_that_is_gone_are_not_waited_for() -> None:
    going = pod(node="n2")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:02:00Z"
    job = rayjob("Failed", "RUNNING", reason="DeadlineExceeded")
    assert status_of(View(job, [going])).phase is Phase.RUNNING
    assert status_of(View(job, [going], silent_nodes=frozenset({"n2"}))).phase is Phase.FAILED


def test_a_job_has_started_while_its_driver_runs() -> None:
    assert started_at(rayjob("Running", "RUNNING")) == STARTED
    assert started_at(rayjob("Initializing")) is None
    assert started_at(rayjob("Complete", "SUCCEEDED")) is None
