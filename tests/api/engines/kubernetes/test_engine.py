"""What the engine asks of Kubernetes, and what it makes of what Kubernetes says, over HTTP."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from tests.support.kube_cluster import FakeCluster, submission
from tests.support.waiting import wait_for

from trainyard_api.engines.base import EngineStatus, EngineUnavailable, Phase, SubmissionRefused
from trainyard_api.engines.kubernetes import names as k8s
from trainyard_api.engines.kubernetes.status import wanted_pods
from trainyard_api.failures import FailureKind

T = TypeVar("T")
JOB = "ty-j1-1"
HANDLE = {"submission_id": JOB, "namespace": "team-vision"}
WHOLE = {"type": "PodScheduled", "status": "True"}


def until(cluster: FakeCluster, what: str, handle: dict[str, Any] = HANDLE, **expected: Any) -> EngineStatus:
    def probe() -> EngineStatus | None:
        status = cluster.engine.describe(handle)
        return status if all(getattr(status, name) == value for name, value in expected.items()) else None

    return wait_for(f"{what}; is {cluster.engine.describe(handle)}", probe, seconds=60)


def patiently(call: Callable[[], T]) -> T:
    """What the call answers once the API server has: on a busy machine that takes longer than an engine waits."""

    def probe() -> list[T]:
        try:
            return [call()]
        except EngineUnavailable as error:
            if "has not answered yet" not in str(error):
                raise
            return []

    return wait_for("the API server's first answer", probe, seconds=60)[0]


def followed(cluster: FakeCluster) -> Any:
    """What the engine follows of the team's namespace."""
    return cluster.engine._cluster.namespaces["team-vision"]


def running(cluster: FakeCluster, **resources: Any) -> None:
    """A job of two pods whose driver runs."""
    cluster.engine.submit(submission(**resources))
    cluster.set_pod("head", head=True)
    cluster.set_pod("worker")
    cluster.set_status(JOB, "Running", "RUNNING")
    until(cluster, "running", phase=Phase.RUNNING)


def test_a_submission_is_one_rayjob_in_the_teams_namespace(cluster: FakeCluster) -> None:
    assert cluster.engine.submit(submission()) == HANDLE
    made = cluster.rayjob(JOB)
    assert made["metadata"]["labels"][k8s.JOB] == "j1"
    assert k8s.QUEUE not in made["metadata"]["labels"]
    assert cluster.engine.describe(HANDLE).phase is Phase.PENDING


def test_a_team_with_a_queue_has_its_jobs_in_it(cluster: FakeCluster) -> None:
    cluster.engine.submit(submission(team="nlp"))
    labels = cluster.rayjob(JOB, "team-nlp")["metadata"]["labels"]
    assert (labels[k8s.QUEUE], labels[k8s.PRIORITY]) == ("main", "high")
    assert cluster.engine.queues("nlp")
    assert not cluster.engine.queues("vision")


def test_what_it_runs_is_listed_over_all_namespaces_until_it_is_deleted(cluster: FakeCluster) -> None:
    cluster.engine.submit(submission())
    cluster.engine.submit(submission(team="nlp"))
    both = [HANDLE, {**HANDLE, "namespace": "team-nlp"}]
    wait_for("both in the list", lambda: cluster.engine.submissions() == both, seconds=60)
    cluster.engine.delete(HANDLE)
    assert cluster.engine.submissions() == both[1:], "also while the finalizer of KubeRay still keeps it"


def test_a_team_that_is_gone_is_a_refusal(cluster: FakeCluster) -> None:
    with pytest.raises(SubmissionRefused, match="there is no team 'old' any more; submit the job for one of: vision, nlp"):
        cluster.engine.submit(submission(team="old"))


def test_what_the_schema_of_the_cluster_does_not_know_is_a_refusal(cluster: FakeCluster) -> None:
    cluster.server.unknown_field = "backoffLimit"
    with pytest.raises(SubmissionRefused, match=r'unknown field "spec\.backoffLimit"'):
        cluster.engine.submit(submission())


def test_an_engine_that_starts_anew_finds_its_jobs(cluster: FakeCluster) -> None:
    running(cluster)
    other = cluster.new_engine()
    try:
        assert other.submit(submission()) == HANDLE
        assert other.describe({"submission_id": JOB}).phase is Phase.RUNNING
        assert [path for method, path in cluster.server.requests if method == "POST"] == [k8s.rayjobs("team-vision")]
    finally:
        other.close()


def test_what_the_copies_do_not_have_yet_is_asked_for(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainyard_api.engines.kubernetes.cluster.SYNC_SECONDS", 0.2)
    cluster.engine.submit(submission())
    cluster.server.forbidden.add(k8s.rayjobs("team-vision"))  # no list and no watch
    other = cluster.new_engine()
    try:
        assert patiently(lambda: other.describe({"submission_id": JOB})).phase is Phase.PENDING
        assert other.describe({"submission_id": "ty-j9-1"}).phase is Phase.MISSING
    finally:
        other.close()


def test_while_the_api_server_is_away_running_jobs_are_as_they_were_and_nothing_starts(cluster: FakeCluster) -> None:
    running(cluster)
    cluster.server.down = True
    cluster.server.break_watches()
    wait_for("the engine to notice", lambda: unavailable(cluster))
    assert cluster.engine.describe(HANDLE).phase is Phase.RUNNING
    with pytest.raises(EngineUnavailable):
        cluster.engine.submit(submission("j2"))
    with pytest.raises(EngineUnavailable):
        cluster.engine.stop(HANDLE)
    cluster.server.down = False
    cluster.set_status(JOB, "Complete", "SUCCEEDED")
    until(cluster, "succeeded", phase=Phase.SUCCEEDED)
    wait_for("capacity", lambda: not unavailable(cluster))


def unavailable(cluster: FakeCluster) -> bool:
    try:
        cluster.engine.capacity()
    except EngineUnavailable:
        return True
    return False


def test_stop_is_a_deadline_now_and_has_ended_when_the_pods_have(cluster: FakeCluster) -> None:
    running(cluster)
    cluster.engine.stop(HANDLE)
    cluster.engine.stop(HANDLE)
    made = cluster.rayjob(JOB)
    assert made["spec"]["activeDeadlineSeconds"] == 1
    assert sum(1 for method, _ in cluster.server.requests if method == "PATCH") == 1
    cluster.set_pod("head", head=True, deleting=True)
    cluster.remove_pod("worker")
    cluster.set_status(JOB, "Failed", "RUNNING", reason="DeadlineExceeded")
    wait_for("the end to be known", lambda: followed(cluster).rayjobs.get("team-vision", JOB)["status"]["jobDeploymentStatus"] == "Failed")
    assert (cluster.engine.describe(HANDLE).phase, cluster.engine.describe(HANDLE).doomed) == (Phase.RUNNING, False)
    cluster.remove_pod("head")
    until(cluster, "stopped", phase=Phase.STOPPED)
    assert cluster.engine.submit(submission()) == HANDLE


def test_a_job_that_was_never_admitted_is_stopped_at_once(cluster: FakeCluster) -> None:
    handle = cluster.engine.submit(submission(team="nlp"))
    held = {**cluster.rayjob(JOB, "team-nlp")["spec"], "suspend": True}
    cluster.server.put(k8s.rayjobs("team-nlp"), JOB, spec=held, status={"jobDeploymentStatus": "Suspended"})
    until(cluster, "queued", handle, phase=Phase.QUEUED)
    cluster.engine.stop(handle)
    assert cluster.engine.describe(handle).phase is Phase.STOPPED


def test_a_deleted_job_is_missing_although_its_finalizer_keeps_it(cluster: FakeCluster) -> None:
    running(cluster)
    cluster.server.put(k8s.rayjobs("team-vision"), JOB, metadata={"finalizers": ["ray.io/rayjob-finalizer"]})
    cluster.set_status(JOB, "Complete", "SUCCEEDED")
    until(cluster, "succeeded", phase=Phase.SUCCEEDED)
    cluster.engine.delete(HANDLE)
    assert cluster.engine.describe(HANDLE).phase is Phase.MISSING
    assert JOB in cluster.server.collections[k8s.rayjobs("team-vision")]
    cluster.engine.delete(HANDLE)


def test_a_job_deleted_from_outside_is_doomed_while_its_pods_live_and_then_missing(cluster: FakeCluster) -> None:
    running(cluster)
    cluster.server.put(k8s.rayjobs("team-vision"), JOB, metadata={"deletionTimestamp": "2026-01-01T00:02:00Z"})
    until(cluster, "doomed", doomed=True, kind=FailureKind.INFRASTRUCTURE)
    cluster.server.remove(k8s.rayjobs("team-vision"), JOB)
    until(cluster, "missing", phase=Phase.MISSING, kind=FailureKind.INFRASTRUCTURE)


def test_a_lost_pod_is_remembered_although_kuberay_replaces_it(cluster: FakeCluster) -> None:
    running(cluster)
    ended = {"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-01T00:03:00Z"}}}
    cluster.set_pod("worker", containerStatuses=[ended], phase="Failed")
    cluster.remove_pod("worker")
    cluster.set_pod("worker-2")
    status = until(cluster, "doomed", doomed=True)
    assert status.kind is FailureKind.OUT_OF_MEMORY
    assert status.message == "the worker pod worker was killed because it used more than its 2 GiB of memory; raise memory_gb_per_worker"
    cluster.engine.stop(HANDLE)
    cluster.set_status(JOB, "Failed", "RUNNING", reason="DeadlineExceeded")
    for pod in ("head", "worker-2"):
        cluster.remove_pod(pod)
    until(cluster, "stopped", phase=Phase.STOPPED)


def test_the_next_attempt_may_run_where_the_driver_stands_by_unless_a_pod_is_lost(cluster: FakeCluster) -> None:
    assert not cluster.engine.carries_on(HANDLE, whole=False, deadline_seconds=None)
    running(cluster)
    before = cluster.rayjob(JOB)["spec"].get("activeDeadlineSeconds")
    assert cluster.engine.carries_on(HANDLE, whole=False, deadline_seconds=None)
    assert cluster.rayjob(JOB)["spec"].get("activeDeadlineSeconds") == before
    assert cluster.engine.carries_on(HANDLE, whole=True, deadline_seconds=600)
    made = cluster.rayjob(JOB)
    age = (datetime.now(UTC) - datetime.fromisoformat(made["metadata"]["creationTimestamp"])).total_seconds()
    assert made["spec"]["activeDeadlineSeconds"] == pytest.approx(age + 660, abs=60), "counted from the RayJob's start"
    cluster.set_pod("worker", phase="Failed")
    until(cluster, "doomed", doomed=True)
    assert not cluster.engine.carries_on(HANDLE, whole=False, deadline_seconds=600)


def test_a_lost_worker_pod_is_waited_for_unless_the_job_can_do_without(cluster: FakeCluster) -> None:
    running(cluster, cpus_per_worker=3.0)
    assert wanted_pods(cluster.rayjob(JOB)) == 2
    cluster.remove_pod("worker")
    wait_for("the pod to be gone", lambda: len(followed(cluster).pods.group(("j1", "1"))) == 1, seconds=60)
    assert cluster.engine.carries_on(HANDLE, whole=False, deadline_seconds=None)
    assert not cluster.engine.carries_on(HANDLE, whole=True, deadline_seconds=None)


def test_a_head_or_a_ray_cluster_that_was_deleted_dooms_the_attempt_also_when_kuberay_starts_the_driver_anew(cluster: FakeCluster) -> None:
    """KubeRay makes a new Ray cluster, and hands the driver over again, without a word about it in the RayJob's status."""
    running(cluster)
    for pod in ("head", "worker"):
        cluster.remove_pod(pod)
    cluster.set_pod("head-2", head=True, created="2026-01-01T00:03:00Z")
    status = until(cluster, "doomed", doomed=True)
    assert (status.message, status.kind) == ("the head's pod was replaced, and what ran in it is gone", FailureKind.INFRASTRUCTURE)
    again = {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING", "rayJobInfo": {"startTime": "2026-01-01T00:03:20Z"}}
    cluster.server.put(k8s.rayjobs("team-vision"), JOB, status=again)
    wait_for("the new driver", lambda: followed(cluster).rayjobs.get("team-vision", JOB)["status"]["rayJobInfo"] == again["rayJobInfo"])
    assert cluster.engine.describe(HANDLE).doomed
    cluster.engine.stop(HANDLE)
    cluster.set_status(JOB, "Failed", "RUNNING", reason="DeadlineExceeded")
    cluster.remove_pod("head-2")
    until(cluster, "stopped", phase=Phase.STOPPED)


@pytest.mark.parametrize(
    ("created", "ready", "phase"),
    [
        ("2026-01-01T00:01:58Z", "False", Phase.STOPPED),
        ("2026-01-01T00:01:58Z", "True", Phase.RUNNING),
        ("2026-01-01T00:01:40Z", "False", Phase.RUNNING),
        ("2026-01-01T00:00:30Z", "False", Phase.RUNNING),
    ],
    ids=["went at once", "was ready", "may have been ready", "the head that ran the job"],
)
def test_a_lost_heads_replacement_is_waited_for_only_where_the_driver_may_run_in_it(
    cluster: FakeCluster, created: str, ready: str, phase: Phase
) -> None:
    running(cluster)
    for pod in ("head", "worker"):
        cluster.remove_pod(pod)
    cluster.engine.stop(HANDLE)
    cluster.set_pod("head-2", head=True, created=created, deleting=True, conditions=[{"type": "Ready", "status": ready}])
    cluster.set_status(JOB, "Failed", "RUNNING", reason="DeadlineExceeded")
    wait_for("the end to be known", lambda: followed(cluster).rayjobs.get("team-vision", JOB)["status"]["jobDeploymentStatus"] == "Failed")
    wait_for("the pod to be known", lambda: [pod["metadata"]["name"] for pod in followed(cluster).pods.group(("j1", "1"))] == ["head-2"])
    assert cluster.engine.describe(HANDLE).phase is phase


def test_a_change_to_a_job_is_news(cluster: FakeCluster) -> None:
    running(cluster)
    for change in (lambda: cluster.set_status(JOB, "Complete", "SUCCEEDED"), lambda: cluster.remove_pod("worker")):
        cluster.engine.news.clear()
        change()
        assert cluster.engine.news.wait(60)


def test_a_head_that_never_comes_up_is_not_started_for_ever(cluster: FakeCluster) -> None:
    cluster.engine.submit(submission())
    cluster.set_status(JOB, "Initializing")
    ended = {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 127, "reason": "Error"}}}]}
    for _ in range(2):
        cluster.set_pod("head", head=True, **ended)
        until(
            cluster,
            "starting",
            phase=Phase.PENDING,
            message="the head's pod ended with exit code 127 while it started; it is started again",
        )
        cluster.remove_pod("head")
        until(cluster, "starting", phase=Phase.PENDING, message=None)
    assert not cluster.engine.describe(HANDLE).doomed
    cluster.set_pod("head", head=True, **ended)
    status = until(cluster, "doomed", doomed=True, kind=FailureKind.USER)
    assert status.message == "the head's pod ended with exit code 127 each time it was started; its image must hold what jobs need"


def test_heads_that_go_because_a_starting_job_is_stopped_are_no_false_starts(cluster: FakeCluster) -> None:
    cluster.engine.submit(submission())
    cluster.set_status(JOB, "Initializing")
    ended = {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 143, "reason": "Error"}}}]}
    cluster.engine.describe(HANDLE)
    cluster.engine.stop(HANDLE)
    for number in range(4):
        cluster.set_pod(f"head-{number}", head=True, **ended)
    wait_for("the pods", lambda: followed(cluster).pods.get("team-vision", "head-3"))
    assert not cluster.engine.describe(HANDLE).doomed


def test_pods_that_end_because_the_job_is_stopped_are_no_loss(cluster: FakeCluster) -> None:
    running(cluster)
    cluster.engine.stop(HANDLE)
    cluster.set_pod("worker", phase="Failed", containerStatuses=[{"state": {"terminated": {"exitCode": 143}}}])
    cluster.set_pod("later")
    wait_for("the pods", lambda: followed(cluster).pods.get("team-vision", "later"))
    assert not cluster.engine.describe(HANDLE).doomed


def test_the_last_lines_are_what_ray_keeps_of_a_failed_driver(cluster: FakeCluster) -> None:
    running(cluster)
    message = "Job entrypoint command failed with exit code 1, last available logs (truncated to 20,000 chars):\nfirst\n\nlast"
    cluster.set_status(JOB, "Failed", "FAILED", reason="AppFailed", message=message)
    status = until(cluster, "failed", phase=Phase.FAILED)
    assert status.message == "the job's driver ended with exit code 1"
    assert cluster.engine.last_lines(HANDLE, 2) == ["first", "last"]


def test_capacity_is_what_the_nodes_have_and_what_others_take(cluster: FakeCluster) -> None:
    cluster.add_node("node-2", cpus="8", memory="32Gi", gpus="2")
    cluster.add_node("gone", ready=False, cpus="64")
    cluster.server.put(
        k8s.ALL_PODS,
        "database",
        "elsewhere",
        spec={"nodeName": "node-1", "containers": [{"resources": {"requests": {"cpu": "500m", "memory": "2Gi"}}}]},
    )
    cluster.set_pod("head", head=True)
    cluster.engine.capacity()
    wait_for("both pods", lambda: len(cluster.engine._cluster.all_pods.items()) == 2)
    capacity = cluster.engine.capacity()
    assert (capacity.cpus, capacity.gpus, capacity.memory_gb) == (12, 2, 48)
    assert capacity.taken == {"cpus": 0.5, "gpus": 0, "memory_gb": 2}
    assert [node["name"] for node in capacity.nodes] == ["node-1", "node-2"]


def test_without_leave_to_see_other_pods_capacity_is_what_the_nodes_have(cluster: FakeCluster) -> None:
    cluster.server.forbidden.add(k8s.ALL_PODS)
    assert cluster.engine.capacity().cpus == 4
    assert cluster.engine.submit(submission()) == HANDLE


def test_without_leave_in_a_namespace_only_its_own_jobs_wait(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainyard_api.engines.kubernetes.cluster.SYNC_SECONDS", 0.5)
    cluster.server.forbidden.update({k8s.rayjobs("team-nlp"), f"{k8s.rayjobs('team-nlp')}/{JOB}"})
    with pytest.raises(EngineUnavailable, match="refuses the service account of the controller: cannot list"):
        patiently(lambda: cluster.engine.submit(submission(team="nlp")))
    assert patiently(lambda: cluster.engine.submit(submission())) == HANDLE
    assert cluster.engine.capacity().cpus == 4


def test_without_leave_to_see_the_nodes_nothing_starts(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainyard_api.engines.kubernetes.cluster.SYNC_SECONDS", 0.5)
    cluster.server.forbidden.add(k8s.NODES)
    with pytest.raises(EngineUnavailable, match="cannot list /api/v1/nodes"):
        patiently(cluster.engine.capacity)


def test_all_ranks_go_beside_the_head_when_a_node_has_room(cluster: FakeCluster) -> None:
    cluster.engine.submit(submission("j1", workers=3))
    spec = cluster.rayjob("ty-j1-1")["spec"]["rayClusterSpec"]
    assert spec["workerGroupSpecs"] == []
    cluster.set_pod("head", head=True, cpu="3200m")
    wait_for("the pod", lambda: cluster.engine._cluster.all_pods.items())
    cluster.engine.submit(submission("j2", workers=3))
    [group] = cluster.rayjob("ty-j2-1")["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert group["replicas"] == 2
