"""The provider for machines without a container engine: Kubernetes as plain processes of one Linux machine."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from workbench import go_tools
from workbench.cluster import identity, leftovers, needs
from workbench.cluster.containerd import import_archive
from workbench.cluster.layout import Layout, default_folder, make_layout, must_be_usable, open_layout
from workbench.cluster.locks import locked
from workbench.cluster.node import Node, remove_link
from workbench.cluster.start import Start, say
from workbench.errors import WorkbenchError
from workbench.paths import cache

_TOOLS = (go_tools.ETCD, go_tools.KUBERNETES, go_tools.COREDNS, go_tools.KUBE_ROUTER, go_tools.PAUSE)


class Processes:
    """One cluster, by its state folder."""

    name = "processes"

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    @property
    def exists(self) -> bool:
        """Whether there is one, running or not."""
        return open_layout(self.folder) is not None

    def up(self) -> None:
        """Make the cluster, or start what of it does not run; returns when pods can run. Raises WorkbenchError."""
        needed = needs.this_machine_can()
        if needed:
            raise WorkbenchError(needed)
        if not self.exists:
            must_be_usable(self.folder)
        began = time.monotonic()
        programs = {**needs.programs(), "python": Path(sys.executable)}
        for tool in _TOOLS:
            programs |= go_tools.build(tool)
        with locked(self.folder):
            layout = open_layout(self.folder) or make_layout(self.folder)
            Start(layout, programs).run()
        say(f"The cluster is up ({time.monotonic() - began:.0f} s): export KUBECONFIG={layout.kubeconfig}")

    def down(self) -> None:
        """End every process and remove every trace, the registry's images in the cache excepted. Nothing to do is fine."""
        layout = self._found()
        if layout is None:
            return
        with locked(self.folder):
            _stop(layout)
            shutil.rmtree(self.folder)
        say("The cluster is down.")

    def status(self) -> dict[str, str]:
        """State of each component: `ready`, `not ready` or `stopped`; empty where there is no cluster."""
        layout = self._found()
        if layout is None:
            return {}
        built = {name: cache() / f"{tool.name}-{tool.key}" / name for tool in _TOOLS for name in tool.programs}
        return Start(layout, {**{name: Path(name) for name in needs.PROGRAMS}, **built, "python": Path(sys.executable)}).states()

    def kubeconfig(self) -> Path:
        """The administrator's. Raises WorkbenchError where there is no cluster."""
        return self._layout().kubeconfig

    def load(self, image: str) -> None:
        """Bring an archive, or an image of buildah's, podman's or docker's, into the node under the name it has. Raises WorkbenchError."""
        layout = self._layout()
        if Path(image).is_file():
            import_archive(layout, Path(image))
            return
        archive = layout.folder / "load.tar"
        try:
            _export(image, archive)
            import_archive(layout, archive)
        finally:
            archive.unlink(missing_ok=True)

    def _layout(self) -> Layout:
        layout = self._found()
        if layout is None:
            raise WorkbenchError("there is no cluster: ./scripts/cluster up")
        return layout

    def _found(self) -> Layout | None:
        layout = open_layout(self.folder)
        if layout is not None and os.getuid() != 0:
            raise WorkbenchError(f"the cluster in {self.folder} is root's: sudo ./scripts/cluster ...")
        return layout


def _stop(layout: Layout) -> None:
    node = Node(layout)
    holder = node.holder
    if holder is not None:
        holder.send(signal.SIGKILL)
        if not holder.gone_within(30):
            raise WorkbenchError(f"the processes of the node (below pid {holder.pid}) do not end; see `ps -ejH`")
    for file in layout.run.glob("*.json"):
        process = identity.load(file)
        if process is not None:
            process.end()
    remove_link(layout)
    used = leftovers.remove_cgroups(layout.cgroup)
    if used:
        raise WorkbenchError(f"cgroups are still in use: {', '.join(map(str, used))}")


def _export(image: str, archive: Path) -> None:
    reasons = []
    for tool, arguments in {
        "buildah": ("push", image, f"docker-archive:{archive}:{image}"),
        "podman": ("save", "--output", str(archive), image),
        "docker": ("save", "--output", str(archive), image),
    }.items():
        if shutil.which(tool):
            done = subprocess.run([tool, *arguments], capture_output=True, text=True)
            if done.returncode == 0:
                return
            reasons.append(f"{tool}: {done.stderr.strip()[-200:]}")
    raise WorkbenchError(
        f"{image} is neither an archive nor an image of this machine ({'; '.join(reasons) or 'no image tool is installed'})"
    )
