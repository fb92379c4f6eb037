"""What the machine must have for a cluster of processes."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from workbench.cluster.configs import cni_programs
from workbench.errors import WorkbenchError

#: Program to the Debian package that has it.
PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "docker-registry": "docker-registry",
    "iptables": "iptables",
    "ipset": "ipset",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "openssl": "openssl",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "setsid": "util-linux",
    "mount": "mount",
}
_CNI_PACKAGE = "containernetworking-plugins"
_MODULES = ("overlay", "br_netfilter", "ip_tables", "ip_set", "nf_conntrack", "veth")


def machine_can(system: str, user: int) -> str | None:
    """None where processes can make a cluster on a machine of this ``system`` for this ``user``; else what is needed, in a sentence."""
    if system != "Linux":
        return f"on {system} the cluster needs a container engine that runs: start Docker or Podman"
    if user != 0:
        return (
            "the cluster needs a container engine that runs (start Docker or Podman), or root to do without one (sudo ./scripts/cluster up)"
        )
    return None


def this_machine_can() -> str | None:
    """``machine_can`` of this machine and user."""
    return machine_can(platform.system(), os.getuid())


def missing_packages(found: Mapping[str, str | None], *, cni: bool) -> list[str]:
    """Debian packages for the programs that were not ``found``, and for the CNI plugins."""
    packages = {PROGRAMS[name] for name, path in found.items() if path is None}
    return sorted(packages if cni else packages | {_CNI_PACKAGE})


def programs() -> dict[str, Path]:
    """The machine's programs by name; installs what is missing where apt-get can. Raises WorkbenchError that names what to install."""
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = _missing()
    if missing and shutil.which("apt-get"):
        _install(missing)
        missing = _missing()
    if missing:
        raise WorkbenchError(f"the cluster needs programs that are not installed: install {' '.join(missing)} (names of Debian's packages)")
    if shutil.which("modprobe"):  # kernels with all of them built in come without it
        for module in _MODULES:
            subprocess.run(["modprobe", "--quiet", module], capture_output=True)
    return {name: Path(shutil.which(name) or name) for name in PROGRAMS}


def _install(packages: list[str]) -> None:
    print(f"Installing {', '.join(packages)} ...", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, capture_output=True)
    install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages]
    done = subprocess.run(install, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise WorkbenchError(f"apt-get install {' '.join(packages)} failed: {done.stderr.strip()[-500:]}")
    # The packages start servers of their own, which nobody asked for.
    services = [package for package in packages if package in ("containerd", "docker-registry")]
    if services and shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", "--now", *services], capture_output=True)


def _missing() -> list[str]:
    try:
        cni_programs()
        cni = True
    except WorkbenchError:
        cni = False
    return missing_packages({name: shutil.which(name) for name in PROGRAMS}, cni=cni)
