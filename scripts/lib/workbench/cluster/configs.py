"""The components' configuration files. Those that Kubernetes reads as YAML are JSON, so that no YAML library is needed."""

import json
from pathlib import Path
from typing import Any

from workbench.cluster.layout import DNS_SERVICE, NODE, NODE_PODS, POD_NETWORK, REGISTRY, Layout
from workbench.errors import WorkbenchError

_CNI_FOLDERS = ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")


def write_configs(layout: Layout, *, pause: str, registry_storage: Path) -> list[Path]:
    """All of ``config/``; the files that were not like that yet. ``pause`` is the image that holds a pod open. Raises WorkbenchError."""
    layout.config.mkdir(exist_ok=True)
    cni = layout.config / "cni"
    certificates = layout.config / "certs.d"
    mirror = certificates / REGISTRY
    for folder in (cni, mirror, layout.folder / "pod-logs", layout.volumes):
        folder.mkdir(parents=True, exist_ok=True)
    wanted = {
        layout.config / "containerd.toml": containerd(layout, pause, cni_programs(), certificates, snapshotter(layout.folder)),
        mirror / "hosts.toml": f'server = "http://{REGISTRY}"\n\n[host."http://{REGISTRY}"]\ncapabilities = ["pull", "resolve"]\n',
        cni / "10-bridge.conflist": _json(bridge()),
        layout.config / "kubelet.json": _json(kubelet(layout)),
        layout.config / "kube-proxy.json": _json(kube_proxy(layout)),
        layout.config / "registry.json": _json(registry(registry_storage, read_only=False)),
        layout.config / "registry-reader.json": _json(registry(registry_storage, read_only=True)),
    }
    return [path for path, content in wanted.items() if _write(path, content)]


def cni_programs() -> Path:
    """Where the CNI plugins lie. Raises WorkbenchError."""
    for folder in _CNI_FOLDERS:
        if Path(folder, "bridge").exists():
            return Path(folder)
    raise WorkbenchError(
        f"the CNI plugins are in none of {', '.join(_CNI_FOLDERS)}; install them (Debian: apt-get install containernetworking-plugins)"
    )


def snapshotter(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """``overlayfs``, except where ``folder`` lies on an overlay itself, which cannot carry another one."""
    kinds = {}
    for line in mounts.read_text().splitlines():
        _, target, kind, *_ = line.split()
        if folder == Path(target) or Path(target) in folder.parents:
            kinds[len(target)] = kind
    return "native" if kinds and kinds[max(kinds)] == "overlay" else "overlayfs"


def containerd(layout: Layout, pause: str, cni: Path, certificates: Path, snapshots: str) -> str:
    """containerd's TOML. Scores below its own are kept from pods' parents, which not every machine lets root set."""
    return f"""version = 2
root = "{layout.folder}/containerd"
state = "/run/containerd"

[grpc]
address = "{layout.containerd_socket}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{snapshots}"
default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni}"
conf_dir = "{layout.config}/cni"

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{certificates}"
"""


def bridge() -> dict[str, Any]:
    """The pods' network: one bridge, addresses from the node's range, ports of the host."""
    return {
        "cniVersion": "1.0.0",
        "name": "trainyard",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": NODE_PODS}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": "/run/cni/networks",
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def kubelet(layout: Layout) -> dict[str, Any]:
    """KubeletConfiguration: any cgroup version, swap or not, and no eviction before the disk is really full."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{layout.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{layout.pki}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{layout.pki}/kubelet-server.key",
        "address": layout.node_address,
        "healthzBindAddress": layout.node_address,
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDomain": "cluster.local",
        "clusterDNS": [DNS_SERVICE],
        "resolvConf": "/dev/null",
        "maxPods": 110,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "volumePluginDir": f"{layout.folder}/kubelet/volume-plugins",
    }


def kube_proxy(layout: Layout) -> dict[str, Any]:
    """KubeProxyConfiguration: iptables, and the machine's connection tracking limits as they are."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": f"{layout.pki}/kube-proxy.kubeconfig"},
        "clusterCIDR": POD_NETWORK,
        "hostnameOverride": NODE,
        "healthzBindAddress": f"{layout.node_address}:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {"maxPerCore": 0, "min": 0},
    }


def registry(storage: Path, *, read_only: bool) -> dict[str, Any]:
    """The image registry's file; the node has a reader of the same storage, so that `localhost:5001` means the same on both sides."""
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(storage)},
            "delete": {"enabled": not read_only},
            "maintenance": {"readonly": {"enabled": read_only}},
        },
        "http": {"addr": f"127.0.0.1:{REGISTRY.rsplit(':', 1)[1]}"},
    }


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def _write(path: Path, content: str) -> bool:
    """Whether it was written: kube-proxy ends when its file is, even with the same."""
    if path.exists() and path.read_text() == content:
        return False
    path.write_text(content)
    return True
