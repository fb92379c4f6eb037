"""KubeRay and Kueue from their charts, and RayJobs of the trainer image that really train."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config, watch
from tests.cluster.images import push_images
from tests.cluster.kubectl import Kubectl
from tests.support.waiting import wait_for

from workbench.charts.kuberay import put_kuberay
from workbench.charts.kueue import kueue_chart
from workbench.go_tools import HELM, build

pytestmark = pytest.mark.cluster

MANIFESTS = Path(__file__).parent / "manifests"
ENDED = {"SUCCEEDED", "FAILED", "STOPPED"}

Helm = Callable[..., str]
Image = Callable[[str], tuple[str, str]]


@pytest.fixture(scope="module")
def image(kubeconfig: Path) -> Image:
    """``image(name)``: repository and tag of an image of ours, built where it is missing and pushed to the cluster's registry."""

    def run(name: str) -> tuple[str, str]:
        return push_images(name)[name]

    return run


@pytest.fixture(scope="module")
def helm(kubeconfig: Path) -> Helm:
    """``helm(*arguments, values=None) -> str``: standard output; AssertionError with what Helm said when it fails."""
    program = build(HELM)["helm"]

    def run(*arguments: str | Path, values: dict[str, Any] | None = None) -> str:
        command = [program, *arguments, "--kubeconfig", kubeconfig, *(["--values", "-"] if values is not None else [])]
        done = subprocess.run(command, input=json.dumps(values or {}), capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"helm {arguments}: {done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def team(kubectl: Kubectl) -> Iterator[str]:
    """A namespace that holds to Pod Security `restricted`, with the training script in a ConfigMap; it outlives the single test."""
    name = f"test-rays-{time.time_ns():x}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    kubectl("create", "configmap", "train-digits", "--namespace", name, f"--from-file={MANIFESTS / 'train_digits.py'}")
    yield name
    kubectl("delete", "namespace", name, "--timeout=240s")


@pytest.fixture(scope="module")
def kuberay(helm: Helm, kubectl: Kubectl, image: Image, team: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The operator, which sees the team's namespace and has no rights elsewhere."""
    chart = tmp_path_factory.mktemp("charts") / "kuberay-operator"
    print(put_kuberay(chart), file=sys.stderr)
    repository, tag = image("kuberay-operator")
    values = {
        "image": {"repository": repository, "tag": tag},
        "singleNamespaceInstall": True,
        "env": [{"name": "ENABLE_INIT_CONTAINER_INJECTION", "value": "false"}],
        "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": None, "memory": "512Mi"}},
        "readinessProbe": {"initialDelaySeconds": 1, "periodSeconds": 1},
    }
    helm("upgrade", "--install", "kuberay", chart, "--namespace", team, "--wait", "--timeout", "280s", values=values)
    yield team
    # The operator's finalizers are still served: jobs first.
    kubectl("delete", "rayjobs,rayclusters", "--all", "--namespace", team, "--timeout=240s")
    helm("uninstall", "kuberay", "--namespace", team, "--wait")


@pytest.fixture(scope="module")
def kueue(helm: Helm, kubectl: Kubectl, image: Image, kuberay: str) -> Iterator[str]:
    """Kueue as its own release, for the team's namespace alone."""
    chart = kueue_chart()
    repository, tag = image("kueue")
    manager = {"image": {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"}, "resources": {"requests": {"cpu": "50m"}}}
    settings = yaml.safe_load(yaml.safe_load((chart / "values.yaml").read_text())["managerConfig"]["controllerManagerConfigYaml"])
    here = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": [kuberay]}]}
    settings |= {"managedJobsNamespaceSelector": here, "integrations": {"frameworks": ["ray.io/rayjob"]}}
    values = {"controllerManager": {"manager": manager}, "managerConfig": {"controllerManagerConfigYaml": yaml.safe_dump(settings)}}
    release = ("kueue", "--namespace", "kueue-system", "--wait")
    try:
        helm("upgrade", "--install", *release, "--create-namespace", "--timeout", "280s", chart, values=values)
        yield kuberay
    finally:
        helm("uninstall", *release)
        kubectl("delete", "namespace", "kueue-system", "--timeout=240s")


@pytest.fixture(scope="module")
def queue(kubectl: Kubectl, kueue: str) -> Iterator[str]:
    """A queue of the team, on hold."""
    queues = ("--namespace", kueue, "--filename", str(MANIFESTS / "queue.yaml"))

    def applied() -> bool:
        try:
            kubectl("apply", "--server-side", *queues)
        except AssertionError as error:
            # Ready pods are a little ahead of the Service in front of them.
            if "failed calling webhook" in str(error):
                return False
            raise
        return True

    try:
        wait_for("Kueue's webhooks", applied, seconds=300, every=1)
        yield "team"
    finally:
        # While Kueue runs: it takes its finalizers off.
        kubectl("delete", "rayjobs", "--all", "--namespace", kueue, "--timeout=240s")
        kubectl("delete", *queues, "--ignore-not-found", "--timeout=240s")


class Jobs:
    """RayJobs of one namespace."""

    def __init__(self, kubectl: Kubectl, kubeconfig: Path, namespace: str, image: str) -> None:
        self.kubectl, self.namespace, self.image = kubectl, namespace, image
        self._api = client.CustomObjectsApi(config.new_client_from_config(str(kubeconfig)))

    def submit(self, name: str, *, entrypoint: str | None = None, labels: dict[str, str] | None = None, workers: int = 2) -> None:
        """Create the job of manifests/rayjob.yaml under another name, and perhaps with another program."""
        job = yaml.safe_load((MANIFESTS / "rayjob.yaml").read_text())
        job["metadata"] = {"name": name, "labels": labels or {}}
        job["spec"]["entrypoint"] = entrypoint or job["spec"]["entrypoint"]
        cluster = job["spec"]["rayClusterSpec"]
        cluster["workerGroupSpecs"][0] |= {"replicas": workers, "minReplicas": workers}
        for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
            group["template"]["spec"]["containers"][0]["image"] = self.image
        self.kubectl("create", "--namespace", self.namespace, "--filename", "-", input=json.dumps(job))

    def wait(self, name: str, what: str, there: Callable[[dict[str, Any]], object], seconds: int = 600) -> dict[str, Any]:
        """The job's status once it is as wanted, from a watch; an assertion shows the last one when it ends otherwise or in time."""
        status: dict[str, Any] = {}
        arguments = ("ray.io", "v1", self.namespace, "rayjobs")
        events = watch.Watch().stream(
            self._api.list_namespaced_custom_object, *arguments, field_selector=f"metadata.name={name}", timeout_seconds=seconds
        )
        for event in events:
            status = event["object"].get("status", {})
            if there(status):
                return status
            assert status.get("jobStatus") not in ENDED, f"{name} ended before {what}: {status}"
        raise AssertionError(f"{name}: no {what} within {seconds} s: {status}")

    def end(self, name: str, seconds: int = 600) -> dict[str, Any]:
        """The status once the Ray job has ended."""
        return self.wait(name, "end", lambda status: status.get("jobStatus") in ENDED, seconds)

    def head(self, status: dict[str, Any], *command: str) -> str:
        """What a command in the job's head pod prints."""
        labels = f"ray.io/cluster={status['rayClusterName']},ray.io/node-type=head"
        pod = self.kubectl("get", "pods", "--namespace", self.namespace, "--selector", labels, "--output", "name").strip()
        return self.kubectl("exec", "--namespace", self.namespace, pod, "--", *command)

    def trained(self, status: dict[str, Any]) -> dict[str, Any]:
        """What rank 0 said at the end of training."""
        line = self.head(status, "grep", "-rhom1", "TRAINED {.*}", "/tmp/ray/session_latest/logs").splitlines()[0]
        found: dict[str, Any] = json.loads(line.removeprefix("TRAINED "))
        return found


@pytest.fixture
def jobs(kubectl: Kubectl, kubeconfig: Path, kuberay: str, image: Image) -> Jobs:
    """The team's jobs."""
    return Jobs(kubectl, kubeconfig, kuberay, ":".join(image("trainer-cpu")))


def assert_trained(found: dict[str, Any]) -> None:
    """It was one training on two pods, over gloo, and it learned."""
    assert (found["backend"], found["ranks"]) == ("gloo", 2)
    assert len({each["pod"] for each in found["each"]}) == 2
    assert sorted(each["images"] for each in found["each"]) == [748, 749]
    assert found["accuracy"] > 0.85


def test_two_workers_train_to_success(jobs: Jobs, kubectl: Kubectl) -> None:
    jobs.submit("digits")
    status = jobs.end("digits")
    assert status["jobStatus"] == "SUCCEEDED", status
    assert_trained(jobs.trained(status))
    # Nothing of the cluster is left once its time is over.
    kubectl("wait", "raycluster", status["rayClusterName"], "--namespace", jobs.namespace, "--for=delete", "--timeout=240s")
    kubectl(
        "wait",
        "pods",
        "--selector",
        f"ray.io/cluster={status['rayClusterName']}",
        "--namespace",
        jobs.namespace,
        "--for=delete",
        "--timeout=240s",
    )


def test_a_program_that_fails_fails_the_job_and_strangers_are_turned_away(jobs: Jobs) -> None:
    jobs.submit("fails", entrypoint="python -c 'raise SystemExit(3)'", workers=0)
    status = jobs.end("fails")
    assert (status["jobStatus"], status.get("reason")) == ("FAILED", "AppFailed"), status
    ask = (
        "import os, sys, urllib.error, urllib.request\n"
        "request = urllib.request.Request('http://127.0.0.1:8265/api/jobs/')\n"
        "if sys.argv[1] == 'known': request.add_header('Authorization', 'Bearer ' + os.environ['RAY_AUTH_TOKEN'])\n"
        "try: print(urllib.request.urlopen(request).status)\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
    )
    assert jobs.head(status, "python", "-c", ask, "stranger").strip() == "401"
    assert jobs.head(status, "python", "-c", ask, "known").strip() == "200"


def test_kueue_decides_when_a_job_starts(jobs: Jobs, kubectl: Kubectl, queue: str) -> None:
    jobs.submit("queued", labels={"kueue.x-k8s.io/queue-name": queue})
    jobs.wait("queued", "suspension", lambda status: status.get("jobDeploymentStatus") == "Suspended", 60)
    here = ("--namespace", jobs.namespace)
    pods = kubectl("get", "pods", *here, "--selector", "ray.io/node-type", "--output", "name").split()
    assert not [pod for pod in pods if pod.startswith("pod/queued-")]
    kubectl("patch", "clusterqueue", "test-queue", "--type=merge", "--patch", '{"spec": {"stopPolicy": "None"}}')
    status = jobs.end("queued")
    assert status["jobStatus"] == "SUCCEEDED", status
    assert_trained(jobs.trained(status))
    [workload] = json.loads(kubectl("get", "workloads", *here, "--output", "json"))["items"]
    assert {"Admitted": "True", "Finished": "True"}.items() <= {
        each["type"]: each["status"] for each in workload["status"]["conditions"]
    }.items()
    assigned = workload["status"]["admission"]["podSetAssignments"]
    assert {each["name"]: each["count"] for each in assigned} == {"head": 1, "workers": 2}
