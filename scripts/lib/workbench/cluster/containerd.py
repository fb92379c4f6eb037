"""What is asked of the node's containerd."""

import subprocess
from pathlib import Path

from workbench.cluster.layout import Layout
from workbench.errors import WorkbenchError


def ctr(layout: Layout, *arguments: str) -> subprocess.CompletedProcess[str]:
    """containerd's own client, in the namespace that the kubelet uses."""
    command = ["ctr", "--address", str(layout.containerd_socket), "--namespace", "k8s.io", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def import_archive(layout: Layout, archive: Path) -> None:
    """The images of an OCI or Docker archive, under the names that it gives. Raises WorkbenchError."""
    done = ctr(layout, "images", "import", str(archive))
    if done.returncode:
        raise WorkbenchError(f"{archive} could not be loaded: {done.stderr.strip()[-500:]}")
