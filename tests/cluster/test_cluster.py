"""What a user of Kubernetes counts on: nodes, names, Services, volumes, images, exec and logs."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from tests.cluster.conftest import CLUSTER
from tests.cluster.kubectl import Kubectl
from tests.cluster.pods import create, in_pod, pod, serving
from tests.cluster.tiny_image import delete_blob, layer, push, toolbox_program
from tests.support.waiting import wait_for

from workbench.cluster.images import write_archive
from workbench.go_tools import GoTool, build

pytestmark = pytest.mark.cluster


def _service(name: str, app: str) -> dict[str, object]:
    spec = {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def test_every_node_is_ready_and_of_the_pinned_minor_version(kubectl: Kubectl) -> None:
    nodes = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    assert nodes
    for node in nodes:
        assert {"Ready": "True"}.items() <= {each["type"]: each["status"] for each in node["status"]["conditions"]}.items()
        assert node["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.34.")


def test_pods_find_services_by_name_and_reach_them(kubectl: Kubectl, namespace: str, toolbox: str) -> None:
    serving(kubectl, namespace, toolbox, "server")
    create(kubectl, namespace, _service("web", "server"))
    serving(kubectl, namespace, toolbox, "client")
    address = kubectl("get", "service", "-n", namespace, "web", "-o=jsonpath={.spec.clusterIP}")
    full_name = f"web.{namespace}.svc.cluster.local"
    wait_for("the name", lambda: _lookup(kubectl, namespace, full_name) == address, seconds=180, every=0.5)
    assert _lookup(kubectl, namespace, "web") == address
    wait_for("the Service's rules", lambda: "I am server" in _got(kubectl, namespace, "client", "http://web"), seconds=180, every=0.5)
    assert "I am server" in _got(kubectl, namespace, "server", "http://web"), "a pod reaches itself through its Service"


def test_exec_and_logs_reach_the_pod(kubectl: Kubectl, namespace: str, toolbox: str) -> None:
    serving(kubectl, namespace, toolbox, "server")
    assert "serving" in kubectl("logs", "-n", namespace, "server")
    assert in_pod(kubectl, namespace, "server", "get", "http://127.0.0.1:8080") == "I am server"
    with pytest.raises(AssertionError, match="unknown command"):
        in_pod(kubectl, namespace, "server", "nonsense")


def test_a_claim_is_bound_and_its_data_outlive_the_pod(kubectl: Kubectl, namespace: str, toolbox: str) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
    }
    create(kubectl, namespace, claim)
    serving(kubectl, namespace, toolbox, "first", claim="data")
    in_pod(kubectl, namespace, "first", "write", "/data/note", "kept")
    kubectl("delete", "pod", "-n", namespace, "first")
    serving(kubectl, namespace, toolbox, "second", claim="data")
    assert in_pod(kubectl, namespace, "second", "read", "/data/note") == "kept"

    volume = kubectl("get", "pvc", "-n", namespace, "data", "-o=jsonpath={.spec.volumeName}")
    kubectl("delete", "pod", "-n", namespace, "second")
    kubectl("delete", "pvc", "-n", namespace, "data")
    wait_for("the volume to be removed", lambda: volume not in kubectl("get", "pv", "-o", "name"), seconds=180, every=0.5)


def test_of_a_changed_image_only_the_changed_layer_is_pulled(kubectl: Kubectl, namespace: str) -> None:
    name, nonce = "trainyard/layers", str(time.time_ns())
    base = layer({"toolbox": toolbox_program(), "nonce": nonce.encode()})
    first, second = (push(name, f"{tag}-{nonce}", [base, layer({"note": tag.encode()})], ["/toolbox"]) for tag in ("one", "two"))
    assert _note(kubectl, namespace, "first", first) == "one"
    delete_blob(name, base)  # whoever asks the registry for it now gets nothing
    assert _note(kubectl, namespace, "second", second) == "two"


def test_a_loaded_archive_needs_no_registry(kubectl: Kubectl, namespace: str, tmp_path: Path) -> None:
    image, archive = f"trainyard.dev/loaded:{time.time_ns()}", tmp_path / "image.tar"
    write_archive(archive, image, build(GoTool("tests/cluster/toolbox"))["toolbox"])
    subprocess.run([CLUSTER, "load", archive], check=True)
    create(kubectl, namespace, pod("loaded", image, "lookup", "localhost"))
    kubectl("wait", "-n", namespace, "pod/loaded", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=240s")


def test_a_restricted_namespace_refuses_a_privileged_pod(kubectl: Kubectl, namespace: str, toolbox: str) -> None:
    allowed = pod("allowed", toolbox, "serve")
    create(kubectl, namespace, allowed)
    refused = pod("refused", toolbox, "serve")
    refused["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    with pytest.raises(AssertionError, match=r'violates PodSecurity "restricted'):
        create(kubectl, namespace, refused)


def _lookup(kubectl: Kubectl, namespace: str, name: str) -> str:
    try:
        return in_pod(kubectl, namespace, "client", "lookup", name)
    except AssertionError as reason:
        return str(reason)


def _got(kubectl: Kubectl, namespace: str, name: str, url: str) -> str:
    try:
        return in_pod(kubectl, namespace, name, "get", url)
    except AssertionError as reason:
        return str(reason)


def _note(kubectl: Kubectl, namespace: str, name: str, image: str) -> str:
    create(kubectl, namespace, pod(name, image, "read", "/note"))
    kubectl("wait", "-n", namespace, f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=240s")
    return kubectl("logs", "-n", namespace, name)
