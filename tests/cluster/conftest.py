"""A real cluster for the tests: `./scripts/test cluster` and `./scripts/test release` run them, and nothing else does."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client, config
from tests.cluster.kubectl import Kubectl, kubectl_of
from tests.cluster.report import write_report
from tests.cluster.tiny_image import layer, push, toolbox_program

CLUSTER = Path(__file__).parents[2] / "scripts" / "cluster"
#: Names of namespaces that the tests make and take away.
_OURS = re.compile(r"test-.*|.*-test(-.*)?|kueue-system")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Only a run that asks for them (`-m cluster`) collects these tests: they need root or a container engine, and minutes."""
    return True if "cluster" not in (config.option.markexpr or "") else None


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    """The path of an administrator's kubeconfig; the cluster is up, and stays up after the tests."""
    subprocess.run([CLUSTER, "up"], check=True, stdout=sys.stderr)
    path = Path(subprocess.run([CLUSTER, "kubeconfig"], check=True, capture_output=True, text=True).stdout.strip())
    _refuse_leftovers(path)
    return path


def _refuse_leftovers(kubeconfig: Path) -> None:
    """Half-installed releases and webhooks without a server fail tests that have nothing to do with them."""
    api = client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))
    there = [space.metadata.name for space in api.list_namespace().items if space.status.phase == "Active"]
    left = [name for name in there if _OURS.fullmatch(name)]
    if left:
        pytest.exit(f"An interrupted run left {', '.join(left)} in the cluster. Make it anew: ./scripts/cluster reset", returncode=1)


@pytest.fixture(scope="session")
def kubectl(kubeconfig: Path) -> Kubectl:
    """kubectl, as an administrator of the cluster."""
    return kubectl_of(kubeconfig)


@pytest.fixture(scope="session")
def toolbox(kubeconfig: Path) -> str:
    """The reference of a small image in the local registry; see ``toolbox/main.go`` for what it can do."""
    return push("trainyard/toolbox", "test", [layer({"toolbox": toolbox_program()})], ["/toolbox"])


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A fresh namespace that holds to Pod Security `restricted`; deleted afterwards, with all that is in it."""
    name = f"test-{time.time_ns():x}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test leaves a folder with what the cluster looked like, before its namespace goes."""
    report = yield
    run = getattr(item, "funcargs", {}).get("kubectl")
    if report.failed and run is not None:
        report.sections.append(("report", f"What the cluster looked like: {write_report(run, item.name)}"))
    return report
