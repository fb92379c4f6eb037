"""A Trainyard installed by Helm on the test cluster, and what the tests do with it."""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.images import push_images
from tests.cluster.kubectl import Kubectl
from tests.support.waiting import wait_for

from trainyard import Client
from workbench.charts.kueue import kueue_chart
from workbench.charts.vendor import vendor
from workbench.go_tools import HELM, KUBERNETES, build
from workbench.paths import ROOT

CHART = ROOT / "charts" / "trainyard"
#: Value of the chart to image of ./scripts/images.
_IMAGES = {
    "api.image": "api",
    "minio.bucketJob.image": "api",
    "api.trainer.image": "trainer-cpu",
    "frontend.image": "frontend",
    "mlflow.image": "mlflow",
    "postgres.image": "postgres",
    "minio.image": "minio",
    "kuberay-operator.image": "kuberay-operator",
}


def pushed_tags() -> list[str]:
    """Build and push what is not there; returns the ``--set`` arguments that name these very images."""
    pushed = push_images(*sorted(set(_IMAGES.values())))
    return [f"--set-string={value}.tag={pushed[name][1]}" for value, name in _IMAGES.items()]


@dataclass(frozen=True)
class Platform:
    """One release."""

    kubeconfig: Path
    kubectl: Kubectl
    images: list[str]
    release: str = "trainyard"
    namespace: str = "trainyard-test"

    @property
    def team_namespace(self) -> str:
        """Where the default team's jobs run."""
        return f"{self.namespace}-default"

    def helm(self, *arguments: str, seconds: float = 900) -> str:
        """Standard output; AssertionError with what Helm said when it fails."""
        command = [str(build(HELM)["helm"]), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        assert done.returncode == 0, f"helm {' '.join(arguments)}: {done.stderr.strip()}\n{done.stdout[-4000:]}"
        return done.stdout

    def install(self, *arguments: str) -> str:
        """Install or upgrade, and wait until everything is ready."""
        vendor()
        wait = ("--wait", "--timeout=600s", *self.images)
        return self.helm("upgrade", "--install", self.release, str(CHART), "--create-namespace", *wait, *arguments)

    def remove(self) -> None:
        """Uninstall what is there, the data too."""
        if self.helm("list", "--short").split():
            self.helm("uninstall", self.release, "--timeout=300s")
        self.kubectl("delete", "namespace", self.namespace, "--timeout=300s", seconds=320)

    def install_kueue(self) -> None:
        """Kueue as its own release."""
        repository, tag = push_images("kueue")["kueue"]
        manager = "controllerManager.manager"
        values = [f"{manager}.image.repository={repository}", f"{manager}.image.tag={tag}"]
        values += [f"{manager}.image.pullPolicy=IfNotPresent", f"{manager}.resources.requests.cpu=50m"]
        arguments = [argument for value in values for argument in ("--set-string", value)]
        where = ("--namespace=kueue-system", "--create-namespace", "--wait", "--timeout=300s")
        self.helm("upgrade", "--install", "kueue", str(kueue_chart()), *where, *arguments)

    def remove_kueue(self) -> None:
        """Take it away again, once it has let go of what waited in its queues."""
        wait_for("Kueue to let go of its Workloads", lambda: not self.names("workloads"), seconds=600, every=1)
        self.helm("uninstall", "kueue", "--namespace=kueue-system", "--wait")
        self.kubectl("delete", "namespace", "kueue-system", "--timeout=240s")

    def secret(self, name: str) -> dict[str, str]:
        """A Secret of the release's namespace, decoded."""
        data = json.loads(self.kubectl("get", "secret", name, "--namespace", self.namespace, "--output", "json"))["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def names(self, kinds: str, namespace: str | None = None, *arguments: str) -> set[str]:
        """``kind/name`` of what is there."""
        where = ["--namespace", namespace] if namespace else ["--all-namespaces"]
        return set(self.kubectl("get", kinds, *where, "--output", "name", "--ignore-not-found", *arguments).split())

    def execute(self, pod: str, *command: str) -> str:
        """Run a command in a container of the release."""
        return self.kubectl("exec", "--namespace", self.namespace, pod, "--", *command)

    @contextmanager
    def entrance(self) -> Iterator[str]:
        """The entrance's URL on this machine, as long as the block lasts."""
        with self.lines("port-forward", f"service/{self.release}-frontend", ":80") as lines:
            first = next(lines, "")
            found = re.search(r"127\.0\.0\.1:(\d+)", first)
            assert found, f"kubectl port-forward said {first!r}"
            yield f"http://127.0.0.1:{found.group(1)}"

    @contextmanager
    def lines(self, *arguments: str) -> Iterator[Iterator[str]]:
        """What kubectl prints in the release's namespace, line by line as it comes, as long as the block lasts."""
        command = [str(build(KUBERNETES)["kubectl"]), f"--kubeconfig={self.kubeconfig}", "--namespace", self.namespace, *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            yield iter(process.stdout)
        finally:
            process.terminate()
            process.wait(10)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client at the entrance, with the generated token."""
        with self.entrance() as url, Client(url, token=self.secret(f"{self.release}-auth")["token"]) as client:
            yield client
