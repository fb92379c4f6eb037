"""Where one cluster of processes keeps what, and which addresses it has."""

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import WorkbenchError

NODE = "trainyard"
POD_NETWORK = "10.244.0.0/16"
#: What the first node of a new cluster is given of the pods' network.
NODE_PODS = "10.244.0.0/24"
SERVICE_NETWORK = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
REGISTRY = "localhost:5001"

#: Unix sockets below the folder may not be longer than the kernel's 107 bytes.
_LONGEST = 60
_LINKS = 256


def default_folder() -> Path:
    """TRAINYARD_CLUSTER_DIR, else /var/lib/trainyard-cluster."""
    return Path(os.environ.get("TRAINYARD_CLUSTER_DIR") or "/var/lib/trainyard-cluster").absolute()


@dataclass(frozen=True)
class Layout:
    """One cluster: its state folder, and the number that tells it from other clusters of this machine."""

    folder: Path
    number: int

    @property
    def host_address(self) -> str:
        """This machine's end of the link to the node (198.18.0.0/15 is set aside for test networks, RFC 2544)."""
        return f"198.18.{self.number}.1"

    @property
    def node_address(self) -> str:
        """The node's end of the link; the API server's address."""
        return f"198.18.{self.number}.2"

    @property
    def link(self) -> str:
        """The interface of this machine that leads to the node."""
        return f"trainyard{self.number}"

    @property
    def cgroup(self) -> str:
        """Below the root of every cgroup hierarchy: all pods."""
        return f"trainyard-{self.number}"

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.node_address}:6443"

    @property
    def pki(self) -> Path:
        """Certificates, keys and the components' kubeconfigs."""
        return self.folder / "pki"

    @property
    def config(self) -> Path:
        """The components' configuration files."""
        return self.folder / "config"

    @property
    def logs(self) -> Path:
        """One log a component; the pods' logs lie in pod-logs."""
        return self.folder / "logs"

    @property
    def run(self) -> Path:
        """One file with pid and start time a process, and containerd's socket."""
        return self.folder / "run"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.folder / "kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        """Reached from this machine and from the node alike."""
        return self.run / "containerd.sock"

    @property
    def volumes(self) -> Path:
        """What the default StorageClass hands out."""
        return self.folder / "volumes"


def open_layout(folder: Path) -> Layout | None:
    """The cluster whose state lies in ``folder``; None where there is none. Raises WorkbenchError for a folder of something else."""
    try:
        return Layout(folder, int(json.loads((folder / "cluster.json").read_text())["number"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as reason:
        raise WorkbenchError(
            f"{folder}/cluster.json is not one of ours ({reason}); set TRAINYARD_CLUSTER_DIR to another folder"
        ) from reason


def must_be_usable(folder: Path) -> None:
    """Raises WorkbenchError where a new cluster cannot lie in ``folder``."""
    if len(str(folder)) > _LONGEST:
        raise WorkbenchError(f"TRAINYARD_CLUSTER_DIR={folder} is too long for Unix sockets below it: use at most {_LONGEST} characters")
    if folder.exists() and any(path.name != "lock" for path in folder.iterdir()):
        raise WorkbenchError(f"{folder} holds other files and no cluster; set TRAINYARD_CLUSTER_DIR to another folder")


def make_layout(folder: Path) -> Layout:
    """A new cluster's, in an empty folder. Raises WorkbenchError where no addresses are left."""
    layout = Layout(folder, free_number(folder, _addresses()))
    (folder / "cluster.json").write_text(json.dumps({"number": layout.number}))
    return layout


def free_number(folder: Path, addresses: str) -> int:
    """The first number from the folder's own whose network is in none of this machine's ``addresses`` (as `ip` prints them)."""
    first = int(hashlib.sha256(str(folder).encode()).hexdigest(), 16) % _LINKS
    for step in range(_LINKS):
        number = (first + step) % _LINKS
        if f" 198.18.{number}." not in addresses:
            return number
    raise WorkbenchError("all of 198.18.0.0/16 is in use on this machine: take other clusters down")


def _addresses() -> str:
    return subprocess.run(["ip", "-4", "-o", "address"], check=True, capture_output=True, text=True).stdout
