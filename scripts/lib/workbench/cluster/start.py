"""Bringing up a cluster of processes: everything that does not run is started as soon as what it needs is ready."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workbench import go_tools
from workbench.cluster import addons, configs, images, leftovers, probes
from workbench.cluster.components import Component, components
from workbench.cluster.containerd import ctr, import_archive
from workbench.cluster.layout import DNS_SERVICE, NODE, REGISTRY, Layout
from workbench.cluster.node import Node, last_lines
from workbench.cluster.pki import write_pki
from workbench.errors import WorkbenchError
from workbench.paths import cache

_PATIENCE = 120
"""Seconds for one component to become ready: a cold, busy machine takes half of it."""


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


class Start:
    """Starting what does not run, each as soon as what it needs is ready."""

    def __init__(self, layout: Layout, programs: dict[str, Path]) -> None:
        self.layout = layout
        self.programs = programs
        self.node = Node(layout)
        self.components = components(layout, programs)
        self._changed: list[Path] = []
        self._pause = f"trainyard.dev/pause:{go_tools.PAUSE.key}"
        self._dns = f"trainyard.dev/coredns:{go_tools.COREDNS.key}"

    def run(self) -> None:
        layout = self.layout
        for folder in (layout.run, layout.logs):
            folder.mkdir(exist_ok=True)
        storage = cache() / "registry"
        storage.mkdir(parents=True, exist_ok=True)
        say("Certificates and configuration ...")
        write_pki(layout)
        self._changed = configs.write_configs(layout, pause=self._pause, registry_storage=storage)
        leftovers.make_cgroups(layout.cgroup)
        if self.node.holder is None:
            say("Namespaces of the node ...")
            self.node.start(self.programs["pause"], keep=[cache()])
        with ThreadPoolExecutor(max_workers=4) as pool:
            loaded = pool.submit(self._runtime)
            pool.submit(self._control_plane).result()
            loaded.result()
            others = ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "provisioner")
            for name in others:
                self._start(name)
            applied = pool.submit(self._apply)
            for name in others:
                self._wait(name)
            applied.result()
        self._wait_for("the node to be Ready", self._node_ready)
        self._start("kube-router")  # it wants the node's range of addresses
        self._wait("kube-router")
        self._wait_for("the name service", self._dns_ready)

    def states(self) -> dict[str, str]:
        """For `status`."""
        if self.node.holder is None:
            return {"node": "stopped", **dict.fromkeys(self.components, "stopped")}
        found = {"node": "ready"}
        for name, component in self.components.items():
            runs = self._runs(name) or name == "registry"  # which another cluster of this machine may have started
            found[name] = "stopped" if not runs else "ready" if self._ready(component) else "not ready"
        found["coredns"] = "ready" if self._dns_ready() else "not ready"
        return found

    def _runtime(self) -> None:
        """The registry, its reader, containerd, and the two images that no registry has."""
        # Another cluster of this machine may have started the registry: it serves the same folder.
        if self._runs("registry") or not self._ready(self.components["registry"]):
            self._start("registry")
            self._wait("registry")
        for name in ("registry-reader", "containerd"):
            self._start(name)
            self._wait(name)
        present = ctr(self.layout, "images", "list", "-q").stdout.split()
        for reference, program in ((self._pause, "pause"), (self._dns, "coredns")):
            if reference not in present:
                archive = self.layout.folder / f"{program}.tar"
                images.write_archive(archive, reference, self.programs[program])
                import_archive(self.layout, archive)
                archive.unlink()

    def _control_plane(self) -> None:
        for name in ("etcd", "kube-apiserver"):
            self._start(name)
            self._wait(name)

    def _apply(self) -> None:
        document = json.dumps(addons.manifests(self._dns))
        # An API server that has just started is slow to answer on a machine at work.
        done = self._kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=document, timeout="60s")
        if done.returncode:
            raise WorkbenchError(f"the cluster's own objects could not be made: {done.stderr.strip()}")

    def _node_ready(self) -> bool:
        query = '-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}'
        return self._kubectl("get", "node", NODE, query).stdout == "True"

    def _dns_ready(self) -> bool:
        return self._in_network("dns", DNS_SERVICE)

    def _in_network(self, kind: str, target: str) -> bool:
        """Ask a probe in the node's network, which this machine's does not reach."""
        holder = self.node.holder
        return holder is not None and probes.inside(holder.pid, kind, target)

    def _kubectl(self, *arguments: str, input: str | None = None, timeout: str = "10s") -> subprocess.CompletedProcess[str]:
        command = [str(self.programs["kubectl"]), f"--kubeconfig={self.layout.kubeconfig}", f"--request-timeout={timeout}", *arguments]
        environment = {**os.environ, "NO_PROXY": self.layout.node_address, "no_proxy": self.layout.node_address}
        return subprocess.run(command, input=input, capture_output=True, text=True, env=environment)

    def _runs(self, name: str) -> bool:
        process = self.node.process(name)
        return process is not None and process.alive

    def _start(self, name: str) -> None:
        """Start it unless it runs as it would be started now."""
        component, process = self.components[name], self.node.process(name)
        if process is not None and process.alive:
            configured_anew = any(str(path) in argument for path in self._changed for argument in component.command)
            if process.command == component.command and not configured_anew:
                return
            say(f"{name} runs with other settings; ending it ...")
            process.end()
        say(f"Starting {name} ...")
        self.node.spawn(name, list(component.command), inside=component.inside)

    def _ready(self, component: Component) -> bool:
        if component.name == "containerd":
            return ctr(self.layout, "version").returncode == 0
        if component.name == "registry-reader":
            return self._in_network("http", f"http://{REGISTRY}/v2/")
        return component.ready is None or probes.answers(component.ready, self.layout.pki / "ca.crt")

    def _wait(self, name: str) -> None:
        component, log = self.components[name], self.layout.logs / f"{name}.log"

        def ready() -> bool:
            if not self._runs(name):
                raise WorkbenchError(f"{name} ended while it was starting; its log {log} ends with\n{last_lines(log)}")
            return self._ready(component)

        self._wait_for(f"{name} (its log: {log})", ready)

    def _wait_for(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not ready():
            if time.monotonic() > deadline:
                raise WorkbenchError(
                    f"waited {_PATIENCE} s for {what}; ./scripts/cluster status shows the others, the logs lie in {self.layout.logs}"
                )
            time.sleep(0.1)
