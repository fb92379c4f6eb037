"""What a cluster of processes consists of: for every component its command, where it runs, and how to see that it is ready."""

from dataclasses import dataclass
from pathlib import Path

from workbench.cluster.layout import NODE, POD_NETWORK, REGISTRY, SERVICE_NETWORK, Layout


@dataclass(frozen=True)
class Component:
    """A process. ``ready`` is a URL that answers 200; None where something else is asked, or where it is enough that it runs."""

    name: str
    command: tuple[str, ...]
    ready: str | None
    #: In the node's namespaces, or on this machine.
    inside: bool = True


def components(layout: Layout, programs: dict[str, Path]) -> dict[str, Component]:
    """All components by name, in the order in which they are started. ``programs`` are the built ones and this Python (``python``)."""
    node = layout.node_address
    port = REGISTRY.rsplit(":", 1)[1]
    registry = str(programs["docker-registry"])
    found = [
        Component("registry", (registry, "serve", f"{layout.config}/registry.json"), f"http://127.0.0.1:{port}/v2/", inside=False),
        Component("registry-reader", (registry, "serve", f"{layout.config}/registry-reader.json"), None),
        Component("containerd", (str(programs["containerd"]), "--config", f"{layout.config}/containerd.toml"), None),
        Component("etcd", (str(programs["etcd"]), *etcd(layout)), f"http://{node}:2381/health"),
        Component("kube-apiserver", (str(programs["kube-apiserver"]), *apiserver(layout)), f"{layout.server}/readyz"),
        Component(
            "kube-controller-manager",
            (str(programs["kube-controller-manager"]), *controller_manager(layout)),
            f"https://{node}:10257/healthz",
        ),
        Component("kube-scheduler", (str(programs["kube-scheduler"]), *scheduler(layout)), f"https://{node}:10259/readyz"),
        Component("kubelet", (str(programs["kubelet"]), *kubelet(layout)), f"http://{node}:10248/healthz"),
        Component("kube-proxy", (str(programs["kube-proxy"]), f"--config={layout.config}/kube-proxy.json"), f"http://{node}:10256/livez"),
        Component("kube-router", (str(programs["kube-router"]), *router(layout)), f"http://{node}:20244/healthz"),
        Component("provisioner", provisioner(layout, programs["python"]), None, inside=False),
    ]
    return {component.name: component for component in found}


def etcd(layout: Layout) -> tuple[str, ...]:
    """The store of one member; what it holds may be lost with the machine, so it does not wait for the disk."""
    return (
        "--name=trainyard",
        f"--data-dir={layout.folder}/etcd",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--initial-advertise-peer-urls=http://127.0.0.1:2380",
        "--initial-cluster=trainyard=http://127.0.0.1:2380",
        f"--listen-metrics-urls=http://{layout.node_address}:2381",
        "--unsafe-no-fsync",
        "--log-level=warn",
    )


def apiserver(layout: Layout) -> tuple[str, ...]:
    """Node and RBAC authorization, and an aggregation layer for API services in pods."""
    pki = layout.pki
    return (
        "--etcd-servers=http://127.0.0.1:2379",
        "--secure-port=6443",
        f"--advertise-address={layout.node_address}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/service-account.pub",
        f"--service-account-signing-key-file={pki}/service-account.key",
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
        f"--proxy-client-key-file={pki}/front-proxy-client.key",
    )


def controller_manager(layout: Layout) -> tuple[str, ...]:
    """One instance: it need not ask whether it leads."""
    pki = layout.pki
    return (
        *_serving(layout, "controller-manager"),
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={pki}/service-account.key",
        f"--root-ca-file={pki}/ca.crt",
        f"--cluster-signing-cert-file={pki}/ca.crt",
        f"--cluster-signing-key-file={pki}/ca.key",
        "--allocate-node-cidrs=true",
        f"--cluster-cidr={POD_NETWORK}",
        "--node-cidr-mask-size=24",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
    )


def scheduler(layout: Layout) -> tuple[str, ...]:
    """One instance: it need not ask whether it leads."""
    return _serving(layout, "scheduler")


def kubelet(layout: Layout) -> tuple[str, ...]:
    """Registers the node under its own name."""
    return (
        f"--config={layout.config}/kubelet.json",
        f"--kubeconfig={layout.pki}/kubelet.kubeconfig",
        f"--root-dir={layout.folder}/kubelet",
        f"--hostname-override={NODE}",
        f"--node-ip={layout.node_address}",
    )


def router(layout: Layout) -> tuple[str, ...]:
    """Only what enforces NetworkPolicy: routes and Services have others to see to them."""
    return (
        f"--kubeconfig={layout.pki}/kube-router.kubeconfig",
        f"--hostname-override={NODE}",
        "--run-firewall=true",
        "--run-router=false",
        "--run-service-proxy=false",
        "--run-loadbalancer=false",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        f"--health-addr={layout.node_address}",
        "--health-port=20244",
        "--metrics-port=0",
    )


def provisioner(layout: Layout, python: Path) -> tuple[str, ...]:
    """Ours: see ``workbench.cluster.provisioner``, which PYTHONPATH leads to."""
    return (str(python), "-m", "workbench.cluster.provisioner", str(layout.folder))


def _serving(layout: Layout, name: str) -> tuple[str, ...]:
    kubeconfig = f"{layout.pki}/{name}.kubeconfig"
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={layout.node_address}",
        f"--tls-cert-file={layout.pki}/apiserver.crt",
        f"--tls-private-key-file={layout.pki}/apiserver.key",
        "--leader-elect=false",
    )
