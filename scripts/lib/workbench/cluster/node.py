"""The node: pid, mount and network namespaces of their own, held open by one process. When that ends, everything in them ends with it."""

import re
import subprocess
import time
from pathlib import Path

from workbench.cluster import identity
from workbench.cluster.layout import Layout
from workbench.errors import WorkbenchError

#: What the kubelet writes to the kernel and what is not in a namespace: it writes to files of the node instead.
_KERNEL_SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)

#: "$@" in the background, in a session of its own, left to the namespace's first process; and its pid there.
_IN_BACKGROUND = 'log=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 & echo $!'

_FILE_SYSTEMS = """
set -e
folder=$1; shift
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/keep
number=0
for kept in "$folder" "$@"; do
    mkdir -p "$kept" /run/keep/$number
    mount --bind "$kept" /run/keep/$number
    number=$((number + 1))
done
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount -t tmpfs -o mode=1777 tmpfs /tmp
number=0
for kept in "$folder" "$@"; do
    mkdir -p "$kept"
    mount --move /run/keep/$number "$kept"
    number=$((number + 1))
done
mount --bind "$folder/pod-logs" /var/log
cd "$folder/kernel"
find . -type f | while read -r setting; do mount --bind "$folder/kernel/$setting" "/proc/sys/$setting"; done
mount --make-rshared /
"""

_NETWORK = """
set -e
ip link set lo up
ip address add "$1/30" dev eth0
ip link set eth0 up
ip route add default via "$2"
echo 1 >/proc/sys/net/ipv4/ip_forward
"""


class Node:
    """The namespaces of one cluster, and the processes in and beside them."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    @property
    def holder(self) -> identity.Identity | None:
        """The process that holds the namespaces; None where it does not run."""
        found = self.process("node")
        return found if found is not None and found.alive else None

    def process(self, name: str) -> identity.Identity | None:
        """The process last started as ``name``, whether it runs or not."""
        return identity.load(self.layout.run / f"{name}.json")

    def start(self, pause: Path, *, keep: list[Path]) -> None:
        """Make the namespaces. ``keep`` are folders that must look in the node as they do outside. Raises WorkbenchError."""
        self._write_kernel_settings()
        holder = self._background("node", ["unshare", "--pid", "--mount", "--net", "--propagation", "slave"], [str(pause)])
        try:
            self._inside(holder.pid, _FILE_SYSTEMS, str(self.layout.folder), *map(str, keep))
            self._link(holder.pid)
            self._inside(holder.pid, _NETWORK, self.layout.node_address, self.layout.host_address)
        except WorkbenchError:
            holder.end()
            raise

    def spawn(self, name: str, command: list[str], *, inside: bool) -> identity.Identity:
        """Start ``command`` with its output in logs/NAME.log, in the node or on this machine. Raises WorkbenchError."""
        if not inside:
            return self._background(name, [], command)
        holder = self.holder
        if holder is None:
            raise WorkbenchError("the node ended while the cluster was starting; run `./scripts/cluster up` again")
        enter = ["nsenter", f"--target={holder.pid}", "--pid", "--mount", "--net", f"--wd={self.layout.folder}"]
        return self._background(name, enter, command, seen_from=holder.pid)

    def _background(self, name: str, enter: list[str], command: list[str], *, seen_from: int | None = None) -> identity.Identity:
        log = self.layout.logs / f"{name}.log"
        shell = [*enter, "/bin/sh", "-c", _IN_BACKGROUND, "sh", str(log), *command]
        done = subprocess.run(shell, capture_output=True, text=True, cwd="/", start_new_session=True)
        pid = int(done.stdout) if done.returncode == 0 else None
        if pid is not None and seen_from is not None:
            pid = _outer_pid(pid, seen_from)
        started = None if pid is None else identity.of(pid)
        if started is None:
            raise WorkbenchError(f"{name} did not start: {done.stderr.strip() or last_lines(log)}")
        started.save(self.layout.run / f"{name}.json")
        return started

    def _inside(self, pid: int, script: str, *arguments: str) -> None:
        command = ["nsenter", f"--target={pid}", "--pid", "--mount", "--net", "/bin/sh", "-c", script, "sh", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/")
        if done.returncode:
            raise WorkbenchError(f"the node could not be set up: {done.stderr.strip()}")

    def _link(self, pid: int) -> None:
        """One interface here, the other end in the node."""
        remove_link(self.layout)
        for arguments in (
            ["link", "add", self.layout.link, "type", "veth", "peer", "name", "eth0", "netns", str(pid)],
            ["address", "add", f"{self.layout.host_address}/30", "dev", self.layout.link],
            ["link", "set", self.layout.link, "up"],
        ):
            done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
            if done.returncode:
                raise WorkbenchError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")

    def _write_kernel_settings(self) -> None:
        for setting in _KERNEL_SETTINGS:
            now = Path("/proc/sys", setting)
            if now.exists():
                file = self.layout.folder / "kernel" / setting
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(now.read_text())


def _outer_pid(inner: int, holder: int) -> int | None:
    """The pid here of the process that has the pid ``inner`` in the namespace of ``holder``."""
    namespace = Path(f"/proc/{holder}/ns/pid").readlink()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "ns" / "pid").readlink() == namespace:
                [pids] = re.findall(r"^NSpid:(.*)$", (path / "status").read_text(), re.MULTILINE)
                if int(pids.split()[-1]) == inner:
                    return int(path.name)
        except OSError:
            continue  # it ended meanwhile
    return None


def remove_link(layout: Layout) -> None:
    """The interface goes with the node, but not at once."""
    for _ in range(50):
        if not Path("/sys/class/net", layout.link).exists():
            return
        subprocess.run(["ip", "link", "delete", layout.link], capture_output=True)
        time.sleep(0.02)
    raise WorkbenchError(f"the network interface {layout.link} of an earlier cluster could not be removed: ip link delete {layout.link}")


def last_lines(log: Path, count: int = 5) -> str:
    """The end of a log, for an error's sentence."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return "it wrote nothing"
