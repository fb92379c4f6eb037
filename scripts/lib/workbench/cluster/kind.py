"""The provider for machines with a container engine: kind, and a registry container beside it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from workbench import go_tools
from workbench.cluster.layout import REGISTRY
from workbench.errors import WorkbenchError
from workbench.paths import cache

NAME = "trainyard"
#: Of the release of kind that scripts/tools/kind pins; its network plugin enforces NetworkPolicy.
NODE_IMAGE = "kindest/node:v1.34.3@sha256:08497ee19eace7b4b5348db5c6a1591d7752b164530a36f855cb0f2bdcbadd48"
REGISTRY_IMAGE = "registry:2.8.3@sha256:a3d8aaa63ed8681a604f1dea0aa03f100d5895b6a58ace528858a7b332415373"
#: The container, and the volume with its images, which stays after `down`.
REGISTRY_NAME = "trainyard-registry"
_ENGINES = ("docker", "podman")
_HOSTS = f'[host."http://{REGISTRY_NAME}:5000"]\n'

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def engine() -> str | None:
    """The first container engine that answers."""
    for name in _ENGINES:
        if shutil.which(name):
            try:
                if subprocess.run([name, "info"], capture_output=True, timeout=15).returncode == 0:
                    return name
            except subprocess.TimeoutExpired:
                continue
    return None


def run_command(command: Sequence[str], *, input: str | None = None, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run it and keep what it prints; what it says on standard error is shown when it fails."""
    return subprocess.run(command, input=input, capture_output=True, text=True, env={**os.environ, **environment})


class Kind:
    """One cluster of one node, named ``trainyard``, in the containers of ``engine`` (`docker` or `podman`)."""

    name = "kind"

    def __init__(self, engine: str, *, run: Run = run_command, program: str | None = None) -> None:
        self._engine = engine
        self._run = run
        self._program = program

    @property
    def exists(self) -> bool:
        """Whether there is one, running or not."""
        return NAME in self._kind("get", "clusters").split()

    def up(self) -> None:
        """Make the cluster and its registry, or start what of them does not run. Raises WorkbenchError."""
        self._registry()
        if self.exists:
            for node in self._nodes():
                self._call(self._engine, "start", node)
        else:
            _say("Making the node (its image is pulled the first time) ...")
            self._kind("create", "cluster", f"--name={NAME}", f"--image={NODE_IMAGE}", f"--kubeconfig={self._path}", "--wait=180s")
        networks = self._call(self._engine, "inspect", "--format={{json .NetworkSettings.Networks}}", REGISTRY_NAME)
        if '"kind"' not in networks:
            self._call(self._engine, "network", "connect", "kind", REGISTRY_NAME)
        folder = f"/etc/containerd/certs.d/{REGISTRY}"  # `localhost` is the node itself there
        for node in self._nodes():
            self._call(self._engine, "exec", node, "mkdir", "-p", folder)
            self._call(self._engine, "exec", "-i", node, "cp", "/dev/stdin", f"{folder}/hosts.toml", input=_HOSTS)
            self._in_node(node, "wait", "--for=condition=Ready", "nodes", "--all", "--timeout=120s")
            self._in_node(node, "wait", "--for=condition=Available", "deployment/coredns", "-n=kube-system", "--timeout=120s")
        _say(f"The cluster is up: export KUBECONFIG={self._path}")

    def down(self) -> None:
        """Remove cluster and registry; the registry's images stay in a volume of the engine."""
        self._kind("delete", "cluster", f"--name={NAME}", f"--kubeconfig={self._path}")
        self._path.unlink(missing_ok=True)
        if self._state(REGISTRY_NAME) is not None:
            self._call(self._engine, "rm", "--force", REGISTRY_NAME)
        _say("The cluster is down.")

    def status(self) -> dict[str, str]:
        """State of the registry, of each node and of the API server; empty where there is no cluster."""
        if not self.exists:
            return {}
        nodes = self._nodes()
        states = {name: "ready" if self._state(name) == "running" else "stopped" for name in (REGISTRY_NAME, *nodes)}
        answered = [self._attempt(*self._kubectl_in(node), "get", "--raw=/readyz").returncode == 0 for node in nodes[:1]]
        return {**states, "kube-apiserver": "ready" if answered == [True] else "not ready"}

    def kubeconfig(self) -> Path:
        """The administrator's, written anew. Raises WorkbenchError where there is no cluster."""
        if not self.exists:
            raise WorkbenchError("there is no cluster: ./scripts/cluster up")
        self._kind("export", "kubeconfig", f"--name={NAME}", f"--kubeconfig={self._path}")
        return self._path

    def load(self, image: str) -> None:
        """Bring an archive or an image of the engine into the node. Raises WorkbenchError."""
        what = "image-archive" if Path(image).is_file() else "docker-image"
        self._kind("load", what, image, f"--name={NAME}")

    @property
    def _path(self) -> Path:
        return cache() / "kind-kubeconfig"

    def _registry(self) -> None:
        state = self._state(REGISTRY_NAME)
        if state is None:
            _say("Starting the registry ...")
            options = ["--detach", "--restart=always", f"--name={REGISTRY_NAME}", f"--volume={REGISTRY_NAME}:/var/lib/registry"]
            port = REGISTRY.rsplit(":", 1)[1]
            options += [f"--publish=127.0.0.1:{port}:5000", "--env=REGISTRY_STORAGE_DELETE_ENABLED=true"]
            self._call(self._engine, "run", *options, REGISTRY_IMAGE)
        elif state != "running":
            self._call(self._engine, "start", REGISTRY_NAME)

    def _state(self, container: str) -> str | None:
        done = self._attempt(self._engine, "inspect", "--type=container", "--format={{.State.Status}}", container)
        return done.stdout.strip() if done.returncode == 0 else None

    def _nodes(self) -> list[str]:
        return self._kind("get", "nodes", f"--name={NAME}").split()

    def _kubectl_in(self, node: str) -> list[str]:
        return [self._engine, "exec", node, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"]

    def _in_node(self, node: str, *arguments: str) -> None:
        self._call(*self._kubectl_in(node), *arguments)

    def _kind(self, *arguments: str) -> str:
        program = self._program or str(go_tools.build(go_tools.KIND)["kind"])
        return self._call(program, *arguments)

    def _call(self, *command: str, input: str | None = None) -> str:
        done = self._attempt(*command, input=input)
        if done.returncode:
            raise WorkbenchError(f"{' '.join(command)} failed: {done.stderr.strip()[-1000:]}")
        return done.stdout

    def _attempt(self, *command: str, input: str | None = None) -> "subprocess.CompletedProcess[str]":
        return self._run(command, input=input, environment={"KIND_EXPERIMENTAL_PROVIDER": self._engine})


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
