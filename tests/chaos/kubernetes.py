"""Faults of what a job runs on in a cluster: its pods, its Ray cluster, the operator, the release's own servers, the node's processes."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import psutil

from tests.chaos.case import Case, Seen
from tests.chaos.training import interrupted, resumed
from tests.chaos.yard import Yard
from tests.cluster.kubectl import kubectl_of
from tests.cluster.release.platform import Platform, pushed_tags
from tests.support.processes import ServerUnavailable
from tests.support.waiting import wait_for
from trainyard.errors import TrainyardError
from trainyard_api.engines.kubernetes.nodes import free_of, trim_pod
from workbench.cluster import identity, needs
from workbench.cluster.layout import default_folder

CLUSTER = Path(__file__).parents[2] / "scripts" / "cluster"
#: Seconds for which a part of the platform or of the cluster stays away.
AWAY = 60
NODE_AWAY = 90
#: Two ranks of this size do not share a pod, and together with Ray's own processes take more than the tight room.
_LARGE_CORES, _TIGHT_CORES = 0.51, 1.15

#: Run in a pod: sends a signal to the process with this command or last argument, and this rank unless it is empty; prints its pid.
_SIGNAL = """
import os, pathlib, sys
number, name, rank = int(sys.argv[1]), sys.argv[2], sys.argv[3]
for process in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        words = (process / "cmdline").read_text().split(chr(0))[:-1]
        known = name in (words[-1:] + [(process / "comm").read_text().strip()])
        if known and (not rank or f"RANK={rank}" in (process / "environ").read_text().split(chr(0))):
            os.kill(int(process.name), number)
            print(process.name)
            break
    except OSError:
        continue
"""


class ClusterYard(Yard):
    """A release of the chart on the test cluster, reached through a port of the node."""

    size: ClassVar[dict[str, float]] = {"cpus_per_worker": 0.25, "memory_gb_per_worker": 1}
    job_seconds: ClassVar[float] = 900
    submission_pauses: ClassVar[tuple[float, ...]] = (0.0, 0.5, 1.5)

    def __init__(self, platform: Platform, url: str) -> None:
        token = platform.secret(f"{platform.release}-auth")["token"]
        super().__init__(url, token, f"{url}/mlflow", ("trainyard", token))
        self.platform = platform

    def kubectl(self, *arguments: str, **options: Any) -> str:
        """kubectl in the release's namespace."""
        return self.platform.kubectl("--namespace", self.platform.namespace, *arguments, **options)

    def in_team(self, *arguments: str, **options: Any) -> str:
        """kubectl in the namespace of the team's jobs."""
        return self.platform.kubectl("--namespace", self.platform.team_namespace, *arguments, **options)

    def signal_rank(self, job_id: str, rank: int, number: signal.Signals) -> None:
        self._signal(job_id, "trainyard_train.training_process", number, str(rank))

    def kill_driver(self, job_id: str) -> None:
        self._signal(job_id, "trainyard_train", signal.SIGKILL)

    def kill_controller(self) -> None:
        self.kill_pods("controller")

    def kill_gcs(self, job_id: str) -> None:
        self._signal(job_id, "gcs_server", signal.SIGKILL)

    def _signal(self, job_id: str, name: str, number: signal.Signals, rank: str = "") -> None:

        def sent() -> bool:
            for pod in self.platform.names("pods", self.platform.team_namespace, f"--selector=trainyard.dev/job-id={job_id}"):
                command = ("python", "-c", _SIGNAL, str(int(number)), name, rank)
                if self.in_team("exec", pod, "--container", "ray", "--", *command).strip():
                    return True
            return False

        wait_for(f"a process {name} of {job_id}", sent, seconds=60, every=0.5)

    def submit_spread(self, workload: str, *arguments: object, **options: Any) -> str:
        """A job of two whose ranks have a pod each, as where no node has room for both: a pod takes that room until the job is there."""
        api = json.loads(self.kubectl("get", "deployment/trainyard-api", "--output=json"))["spec"]["template"]["spec"]["containers"][0]
        taken = max(0.0, self.free_cores() - _TIGHT_CORES)
        container = {"name": "placeholder", "image": api["image"], "command": ["python", "-c", "import time; time.sleep(600)"]}
        container["resources"] = {"requests": {"cpu": f"{taken * 1000:.0f}m"}}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "placeholder"}, "spec": {"containers": [container]}}
        self.kubectl("create", "--filename=-", input=json.dumps(pod))
        try:
            self.kubectl("wait", "pod/placeholder", "--for=jsonpath={.spec.nodeName}", "--timeout=60s")
            job_id = self.submit(workload, *arguments, cpus_per_worker=_LARGE_CORES, **options)
            wait_for("its RayJob", lambda: self.left_of(job_id), seconds=60, every=0.2)
        finally:
            self.kubectl("delete", "pod", "placeholder", "--force", "--grace-period=0")
        return job_id

    def free_cores(self) -> float:
        """What the pods of the cluster leave of its only node."""
        nodes = json.loads(self.platform.kubectl("get", "nodes", "--output=json"))["items"]
        pods = json.loads(self.platform.kubectl("get", "pods", "--all-namespaces", "--output=json"))["items"]
        running = [trim_pod(pod) for pod in pods if pod["status"].get("phase") not in ("Succeeded", "Failed")]
        [free] = free_of(nodes, running)
        return float(free["cpus"])

    def left_of(self, job_id: str) -> list[str]:
        kinds = "rayjobs,rayclusters,pods,services,secrets,configmaps"
        return sorted(self.platform.names(kinds, self.platform.team_namespace, f"--selector=trainyard.dev/job-id={job_id}"))

    def lose(self, kind: str, job_id: str, *selectors: str) -> None:
        """Take objects of the job away, without the time to end in order."""
        selector = ",".join((f"trainyard.dev/job-id={job_id}", *selectors))
        now = ("--grace-period=0", "--force") if kind == "pods" else ()
        assert self.platform.names(kind, self.platform.team_namespace, f"--selector={selector}"), f"the job has no {kind} ({selector})"
        self.in_team("delete", kind, f"--selector={selector}", "--wait=false", *now)

    def kill_pods(self, component: str) -> None:
        """SIGKILL the pods of a part of the release."""
        selector = f"--selector=app.kubernetes.io/component={component}"
        self.kubectl("delete", "pods", selector, "--force", "--grace-period=0")

    @contextlib.contextmanager
    def away(self, workload: str) -> Iterator[None]:
        """A part of the release without any pod, as long as the block lasts."""
        self.kubectl("scale", workload, "--replicas=0")
        try:
            yield
        finally:
            self.kubectl("scale", workload, "--replicas=1")
            self.kubectl("rollout", "status", workload, "--timeout=300s")

    @property
    def operator(self) -> str:
        """The KubeRay operator's Deployment."""
        [found] = self.platform.names("deployments", self.platform.namespace, "--selector=app.kubernetes.io/name=kuberay-operator")
        return found

    @contextlib.contextmanager
    def parted(self, job_id: str) -> Iterator[None]:
        """The head hears nothing of the workers' pods, and they nothing of it, as long as the block lasts."""
        pods = json.loads(self.in_team("get", "pods", f"--selector=trainyard.dev/job-id={job_id}", "--output=json"))["items"]
        workers = [one["status"]["podIP"] for one in pods if one["metadata"]["labels"]["ray.io/node-type"] == "worker"]
        assert workers, "the job has no workers of their own"
        [head] = [one["metadata"]["name"] for one in pods if one["metadata"]["labels"]["ray.io/node-type"] == "head"]
        [gcs] = [one.pid for one in psutil.process_iter() if one.name() == "gcs_server" and one.environ().get("HOSTNAME") == head]
        rules = [[chain, way, address, "--jump", "DROP"] for address in workers for chain, way in (("INPUT", "-s"), ("OUTPUT", "-d"))]
        try:
            for rule in rules:
                subprocess.run(["nsenter", f"--target={gcs}", "--net", "iptables", "--insert", *rule], check=True)
            yield
        finally:
            for rule in rules:
                subprocess.run(["nsenter", f"--target={gcs}", "--net", "iptables", "--delete", *rule], check=False)

    def kill_on_node(self, name: str) -> None:
        """SIGKILL a process of the cluster itself."""
        process = identity.load(default_folder() / "run" / f"{name}.json")
        assert process is not None, f"the cluster has no process {name}"
        process.send(signal.SIGKILL)
        assert process.gone_within(20)

    def kill_processes_of(self, job_id: str) -> None:
        """SIGKILL all that runs in the job's pods, on the node itself."""
        selector = f"--selector=trainyard.dev/job-id={job_id}"
        pods = {name.removeprefix("pod/") for name in self.platform.names("pods", self.platform.team_namespace, selector)}
        killed = 0
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("HOSTNAME") in pods:
                    process.kill()
                    killed += 1
        assert killed, f"nothing of {job_id} runs"

    def restore_node(self) -> None:
        """Start what of the cluster does not run."""
        subprocess.run([CLUSTER, "up"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def await_ready(self) -> None:
        for workload in sorted(self.platform.names("deployments,statefulsets", self.platform.namespace)):
            self.kubectl("rollout", "status", workload, "--timeout=300s", seconds=320)

        def answers() -> bool:
            with contextlib.suppress(TrainyardError):
                return bool(self.client.list_templates())
            return False

        wait_for("the API", answers, seconds=120, every=0.5)

    def mend(self) -> None:
        self.restore_node()
        self.await_ready()
        for job in self.client.list_jobs(states=["QUEUED", "STARTING", "RUNNING"]):
            self.client.cancel_job(job.id)


def started_cluster() -> Path:
    """Start the test cluster where it does not run; its kubeconfig. Raises ServerUnavailable."""
    if needed := needs.this_machine_can():
        raise ServerUnavailable(needed)
    subprocess.run([CLUSTER, "up"], check=True, stdout=sys.stderr)
    return Path(subprocess.run([CLUSTER, "kubeconfig"], check=True, capture_output=True, text=True).stdout.strip())


@contextlib.contextmanager
def cluster_yard(*values: str) -> Iterator[ClusterYard]:
    """The chart, installed on the test cluster without any values but the images' tags, the port and these. Raises ServerUnavailable."""
    kubeconfig = started_cluster()
    kubectl = kubectl_of(kubeconfig)
    platform = Platform(kubeconfig, kubectl, pushed_tags(), namespace="chaos-test")
    kubectl("create", "namespace", platform.namespace)
    try:
        platform.install("--set=frontend.service.type=NodePort", *values)
        service = json.loads(kubectl("get", "service", f"{platform.release}-frontend", "--namespace", platform.namespace, "--output=json"))
        [node] = json.loads(kubectl("get", "nodes", "--output=json"))["items"]
        [address] = [one["address"] for one in node["status"]["addresses"] if one["type"] == "InternalIP"]
        yield ClusterYard(platform, f"http://{address}:{service['spec']['ports'][0]['nodePort']}")
    finally:
        platform.remove()


def worker_pod_lost(yard: ClusterYard) -> Seen:
    def lose(job_id: str) -> None:
        yard.lose("pods", job_id, "ray.io/node-type=worker")

    # Enough steps for the time that Ray takes to miss a machine of which nothing comes any more.
    return interrupted(yard, lose, steps=400, interval=20, workers=2, submit=yard.submit_spread)[1]


def head_pod_lost(yard: ClusterYard) -> Seen:
    return interrupted(yard, lambda job_id: yard.lose("pods", job_id, "ray.io/node-type=head"), steps=120, interval=10)[1]


def head_pod_evicted(yard: ClusterYard) -> Seen:
    """As when its node is drained."""

    def evict(job_id: str) -> None:
        selector = f"--selector=trainyard.dev/job-id={job_id},ray.io/node-type=head"
        [pod] = yard.platform.names("pods", yard.platform.team_namespace, selector)
        name = pod.removeprefix("pod/")
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": yard.platform.team_namespace}}
        path = f"/api/v1/namespaces/{yard.platform.team_namespace}/pods/{name}/eviction"
        yard.in_team("create", f"--raw={path}", "--filename=-", input=json.dumps(eviction))

    return interrupted(yard, evict, steps=120, interval=10)[1]


def network_parted(yard: ClusterYard) -> Seen:
    """Longer than Ray's patience with a node that does not answer (about half a minute)."""
    job_id = yard.submit_spread("steps.py", 600, 0.25, 20, workers=2)
    yard.await_step(job_id, 25)
    with yard.parted(job_id):
        time.sleep(AWAY)
    job = yard.ended(job_id)
    attempts = len(yard.client.job_attempts(job_id))
    assert job.state == "SUCCEEDED", job.reason
    yard.assert_whole(job_id, 600, attempts=attempts)
    return Seen(f"{attempts} attempts, every step of 600 once; {yard.client.job_attempts(job_id)[0].reason or 'it went on'}")


def ray_cluster_lost(yard: ClusterYard) -> Seen:
    return interrupted(yard, lambda job_id: yard.lose("rayclusters", job_id), steps=200, interval=10)[1]


def out_of_memory(yard: ClusterYard) -> Seen:
    job_id = yard.submit("hungry.py")
    job = yard.ended(job_id)
    attempts = yard.client.job_attempts(job_id)
    story = [(one.failure_kind, one.reason) for one in attempts]
    assert (job.state, len(attempts), attempts[0].failure_kind) == ("FAILED", 1, "out_of_memory"), (job.state, story)
    return Seen(f"FAILED after one attempt: {job.reason}")


def operator_away(yard: ClusterYard) -> Seen:
    running = yard.submit("steps.py", 800, 0.1, 100)
    yard.await_step(running, 20)
    with yard.away(yard.operator):
        waiting = yard.submit("steps.py", 20, 0.1, 10)
        time.sleep(AWAY)  # the outage has a length of its own
    begun = time.monotonic()
    yard.await_step(waiting, 1)
    seconds = time.monotonic() - begun
    for job_id, steps in ((running, 800), (waiting, 20)):
        yard.assert_whole(job_id, steps, attempts=1)
    return Seen(f"the running job went on through {AWAY} s, the one submitted meanwhile ran once", seconds)


def api_away(yard: ClusterYard) -> Seen:
    job_id = yard.submit("steps.py", 500, 0.1, 100)
    yard.await_step(job_id, 20)
    with yard.away("deployment/trainyard-api"):
        time.sleep(20)
    yard.assert_whole(job_id, 500, attempts=1)
    return Seen("training went on through 20 s without an API, every step once")


def database_away(yard: ClusterYard) -> Seen:
    job_id = yard.submit("steps.py", 1000, 0.1, 100)
    yard.await_step(job_id, 20)
    answers: list[tuple[int, float, bool]] = []
    with yard.away("statefulset/trainyard-postgres"):
        wait_for("the outage", lambda: yard.answer("/api/v1/jobs")[0] == 503, seconds=60, every=0.2)
        begun = time.monotonic()
        while time.monotonic() - begun < AWAY:
            answers.append(yard.answer("/api/v1/jobs"))
            time.sleep(1)
    back = time.monotonic()
    wait_for("the API to answer again", lambda: yard.answer("/api/v1/jobs")[0] == 200, seconds=60, every=0.2)
    seconds = time.monotonic() - back
    assert {status for status, *_ in answers} == {503}, f"the API answered {sorted({status for status, *_ in answers})}"
    yard.assert_whole(job_id, 1000, attempts=1)
    return Seen(f"{len(answers)} answers of 503, at most {max(took for _, took, _ in answers):.1f} s; the job is whole", seconds)


def database_killed(yard: ClusterYard) -> Seen:
    job_id = yard.submit("steps.py", 600, 0.1, 100)
    yard.await_step(job_id, 20)
    queued = [yard.submit("steps.py", 1, 0, 1) for _ in range(3)]
    yard.kill_pods("postgres")
    yard.await_ready()
    for each in queued:
        yard.client.get_job(each)
        yard.client.cancel_job(each)
    yard.assert_whole(job_id, 600, attempts=1)
    return Seen("three jobs acknowledged right before it are there; the one that trained is whole")


def store_away(yard: ClusterYard) -> Seen:
    job_id = yard.submit("steps.py", 1000, 0.1, 50)
    yard.await_step(job_id, 60)
    with yard.away("statefulset/trainyard-minio"):
        time.sleep(AWAY)
    yard.assert_whole(job_id, 1000, attempts=1)
    return Seen(f"trained through {AWAY} s without the object store; every step and line there afterwards")


def mlflow_away(yard: ClusterYard) -> Seen:
    job_id = yard.submit("steps.py", 300, 0.1, 50)
    yard.await_step(job_id, 20)
    with yard.away("deployment/trainyard-mlflow"):
        job = yard.ended(job_id)
    assert job.state == "SUCCEEDED", job.reason
    yard.assert_whole(job_id, 300, attempts=1)
    return Seen("trained to its end without MLflow; every step there afterwards, once")


def _without(yard: ClusterYard, *names: str, seconds: float) -> Seen:
    """A job trains while these processes of the node are away."""
    job_id = yard.submit("steps.py", 600, 0.1, 100)
    yard.await_step(job_id, 20)
    for name in names:
        yard.kill_on_node(name)
    time.sleep(seconds)
    yard.restore_node()
    yard.assert_whole(job_id, 600, attempts=1)
    return Seen(f"training went on through {seconds:.0f} s, one attempt, every step once")


def node_lost(yard: ClusterYard) -> Seen:
    """Longer than Kubernetes' patience with a node that does not report (40 s); here it takes the platform's own servers along."""
    back: list[float] = []

    def lose(job_id: str) -> None:
        yard.kill_on_node("kubelet")
        yard.kill_processes_of(job_id)
        time.sleep(NODE_AWAY)
        yard.restore_node()
        back.append(time.monotonic())

    job_id = yard.submit("steps.py", 200, 0.1, 10)
    yard.await_step(job_id, 25)
    yard.recovery(job_id, lambda: lose(job_id))
    seconds = time.monotonic() - back[0]
    yard.assert_whole(job_id, 200, attempts=2)
    step, lost = resumed(yard, job_id)
    assert 0 <= lost <= 20, f"{lost} steps were lost with a checkpoint every 10"
    reason = yard.client.job_attempts(job_id)[0].reason
    return Seen(f"resumed from step {step}, {lost} steps again, after the node was back; {reason}", seconds)


CASES: list[Case[ClusterYard]] = [
    Case("worker-pod-lost", "the workers' pod deleted at once", "resumes from the last checkpoint", worker_pod_lost),
    Case("head-pod-lost", "the head's pod deleted at once", "resumes on a new Ray cluster", head_pod_lost),
    Case("head-pod-evicted", "the head's pod evicted, as by a drain", "resumes on a new Ray cluster", head_pod_evicted),
    Case("network-parted", f"no packet between head and workers for {AWAY} s", "goes on or resumes, every step once", network_parted),
    Case("ray-cluster-lost", "the RayCluster deleted", "resumes on a new one", ray_cluster_lost),
    Case("out-of-memory", "a program that takes more than its limit", "FAILED with the peak and the limit, not tried again", out_of_memory),
    Case("operator-away", f"no operator for {AWAY} s while a job trains and another is submitted", "one attempt each", operator_away),
    Case("api-away", "no API for 20 s", "training does not notice", api_away),
    Case("database-away", f"no PostgreSQL for {AWAY} s, under the platform and MLflow", "503, training unaffected", database_away),
    Case("database-killed", "SIGKILL of PostgreSQL right after submissions", "what was acknowledged is there", database_killed),
    Case("store-away", f"no MinIO for {AWAY} s while checkpoints are due", "training goes on, all is there afterwards", store_away),
    Case("mlflow-away", "no MLflow from the middle of a job to its end", "the job succeeds, its metrics follow", mlflow_away),
    Case(
        "kubelet-killed", "SIGKILL of the kubelet, back after 20 s", "training goes on", lambda yard: _without(yard, "kubelet", seconds=20)
    ),
    Case(
        "node-lost",
        f"SIGKILL of the kubelet and of the job's processes, the node is back after {NODE_AWAY} s",
        "resumes, every step once",
        node_lost,
    ),
    Case(
        "containerd-killed",
        "SIGKILL of containerd, back after 20 s",
        "training goes on",
        lambda yard: _without(yard, "containerd", seconds=20),
    ),
    Case(
        "control-plane-killed",
        "SIGKILL of etcd and the API server, back after 30 s",
        "training goes on, no false failure",
        lambda yard: _without(yard, "etcd", "kube-apiserver", seconds=30),
    ),
]
