"""The cluster of processes comes back whatever is killed, and leaves nothing when it goes. On clusters of its own."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.cluster.conftest import CLUSTER
from tests.cluster.pods import create, in_pod, pod, serving
from tests.support.waiting import wait_for

from workbench.cluster import identity, leftovers, needs
from workbench.cluster.layout import open_layout
from workbench.go_tools import KUBERNETES, build

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(needs.this_machine_can() is not None, reason=f"the provider `processes`: {needs.this_machine_can()}"),
]

FOLDER = Path("/var/lib/trainyard-spare")
COMPONENTS = [
    "node",
    "registry-reader",
    "containerd",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kube-router",
    "provisioner",
]


@dataclass(frozen=True)
class Spare:
    """A second cluster, which a test may break."""

    folder: Path = FOLDER

    def script(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "TRAINYARD_CLUSTER_DIR": str(self.folder)}
        command = [CLUSTER, *arguments, "--provider", "processes"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def kubectl(self, *arguments: str, input: str | None = None, seconds: float = 300) -> str:
        command = [str(build(KUBERNETES)["kubectl"]), f"--kubeconfig={self.folder}/kubeconfig", *arguments]
        done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=seconds)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def process(self, name: str) -> identity.Identity:
        found = identity.load(self.folder / "run" / f"{name}.json")
        assert found is not None
        return found


@pytest.fixture(scope="module")
def spare() -> Iterator[Spare]:
    cluster = Spare()
    cluster.script("down")
    cluster.script("up")
    yield cluster
    cluster.script("down")


def test_it_is_whole_and_a_second_up_changes_nothing(spare: Spare) -> None:
    before = {path.name: path.read_text() for path in (spare.folder / "run").glob("*.json")}
    spare.script("up")
    assert {path.name: path.read_text() for path in (spare.folder / "run").glob("*.json")} == before
    assert "not ready" not in spare.script("status").stdout


@pytest.mark.parametrize("name", COMPONENTS)
def test_up_mends_the_cluster_after_any_component_was_killed(spare: Spare, toolbox: str, name: str) -> None:
    process = spare.process(name)
    process.send(signal.SIGKILL)
    assert process.gone_within(20)
    broken = spare.script("status", check=False)
    assert broken.returncode == 1
    assert "stopped" in broken.stdout

    spare.script("up")

    assert spare.script("status").returncode == 0
    assert spare.process(name).alive
    _runs_pods(spare, toolbox)


def test_up_restarts_what_runs_with_other_settings(spare: Spare) -> None:
    configuration = spare.folder / "config" / "kubelet.json"
    before = {name: spare.process(name) for name in COMPONENTS}
    configuration.write_text(configuration.read_text().replace('"maxPods": 110', '"maxPods": 3'))
    spare.script("up")
    assert '"maxPods": 110' in configuration.read_text()
    assert [name for name in COMPONENTS if spare.process(name) != before[name]] == ["kubelet"]


def test_the_name_service_comes_back_by_itself(spare: Spare) -> None:
    layout = open_layout(spare.folder)
    assert layout is not None
    running = subprocess.run(["pgrep", "--exact", "coredns"], check=True, capture_output=True, text=True).stdout.split()
    [pid] = [int(each) for each in running if f"/{layout.cgroup}/" in Path("/proc", each, "cgroup").read_text()]
    os.kill(pid, signal.SIGKILL)
    spare.script("up")
    wait_for("the name service", lambda: spare.script("status", check=False).returncode == 0, seconds=180, every=0.5)


def test_down_leaves_the_machine_as_it_was(toolbox: str) -> None:
    """With pods that run, a volume and a policy; interfaces, rules, sets, mounts, cgroups, settings and files are compared."""
    cluster = Spare(Path("/var/lib/trainyard-brief"))
    cluster.script("down")
    beside = {path.name for path in leftovers.cgroups()}  # other clusters, whose pods come and go
    before = _traces(cluster, beside)
    cluster.script("up")
    try:
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
        }
        policy = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "closed"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
        }
        create(cluster.kubectl, "default", claim, policy)
        serving(cluster.kubectl, "default", toolbox, "server", claim="data")
        in_pod(cluster.kubectl, "default", "server", "write", "/data/note", "gone with the cluster")
        assert _traces(cluster, beside).since(before), "a cluster that runs is seen"
    finally:
        cluster.script("down")
    assert _traces(cluster, beside).since(before) == []
    assert not cluster.folder.exists()
    cluster.script("down")  # a second one has nothing to do
    assert cluster.script("status", check=False).returncode == 1


def _traces(cluster: Spare, beside: set[str]) -> leftovers.Traces:
    found = leftovers.traces(cluster.folder, beside)
    # Images may be built meanwhile.
    return replace(found, mounts=frozenset(line for line in found.mounts if "/images-storage/" not in line))


def _runs_pods(spare: Spare, toolbox: str) -> None:
    name = f"pod-{time.time_ns():x}"
    wait_for("the default service account", lambda: "default" in spare.kubectl("get", "serviceaccounts", "-o", "name"), every=0.5)
    create(spare.kubectl, "default", pod(name, toolbox, "lookup", "kubernetes.default.svc.cluster.local"))
    spare.kubectl("wait", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=240s")

    assert spare.kubectl("logs", name).strip() == "10.96.0.1"
