"""Certificates and kubeconfigs of a cluster of processes, made with the openssl command."""

import base64
import json
import subprocess
from pathlib import Path

from workbench.cluster.layout import API_SERVICE, NODE, Layout
from workbench.errors import WorkbenchError

_DAYS = "3650"
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]

#: Who may ask the API server: file name to subject. Names and groups are those that Kubernetes' own roles are bound to.
CLIENTS = {
    "admin": "/O=system:masters/CN=trainyard-admin",
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE}",
    "kube-proxy": "/CN=system:kube-proxy",
    "kube-router": "/CN=trainyard:kube-router",
    "provisioner": "/CN=trainyard:provisioner",
}


def write_pki(layout: Layout) -> None:
    """Everything below ``pki/`` and the administrator's kubeconfig, once; a finished one is left as it is. Raises WorkbenchError."""
    finished = layout.pki / "finished"
    if finished.exists():
        return
    layout.pki.mkdir(mode=0o700, exist_ok=True)
    _authority(layout.pki, "ca", "trainyard")
    _authority(layout.pki, "front-proxy-ca", "trainyard-front-proxy")
    names = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
    ]
    _server(layout.pki, "apiserver", "/CN=kube-apiserver", names, [API_SERVICE, layout.node_address, "127.0.0.1"])
    _server(layout.pki, "kubelet-server", f"/O=system:nodes/CN=system:node:{NODE}", [NODE], [layout.node_address])
    _client(layout.pki, "apiserver-kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client", "ca")
    _client(layout.pki, "front-proxy-client", "/CN=front-proxy-client", "front-proxy-ca")
    for name, subject in CLIENTS.items():
        _client(layout.pki, name, subject, "ca")
        write_kubeconfig(layout, name, layout.kubeconfig if name == "admin" else layout.pki / f"{name}.kubeconfig")
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", layout.pki / "service-account.key")
    _openssl("pkey", "-in", layout.pki / "service-account.key", "-pubout", "-out", layout.pki / "service-account.pub")
    finished.touch()


def write_kubeconfig(layout: Layout, name: str, path: Path) -> None:
    """A kubeconfig for the client ``name``, as JSON (which is YAML); whole in itself, readable by its owner alone."""

    def data(file: str) -> str:
        return base64.b64encode((layout.pki / file).read_bytes()).decode()

    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "trainyard", "cluster": {"server": layout.server, "certificate-authority-data": data("ca.crt")}}],
        "users": [{"name": name, "user": {"client-certificate-data": data(f"{name}.crt"), "client-key-data": data(f"{name}.key")}}],
        "contexts": [{"name": "trainyard", "context": {"cluster": "trainyard", "user": name}}],
        "current-context": "trainyard",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(document, indent=2))


def _authority(folder: Path, name: str, common_name: str) -> None:
    _openssl(
        *(
            "req",
            "-x509",
            *_KEY,
            "-days",
            _DAYS,
            "-subj",
            f"/CN={common_name}",
            "-addext",
            "keyUsage=critical,keyCertSign,digitalSignature",
        ),
        *("-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"),
    )


def _server(folder: Path, name: str, subject: str, names: list[str], addresses: list[str]) -> None:
    alternatives = ",".join([f"DNS:{each}" for each in names] + [f"IP:{each}" for each in addresses])
    _signed(folder, name, subject, "ca", "-addext", "extendedKeyUsage=serverAuth", "-addext", f"subjectAltName={alternatives}")


def _client(folder: Path, name: str, subject: str, authority: str) -> None:
    _signed(folder, name, subject, authority, "-addext", "extendedKeyUsage=clientAuth")


def _signed(folder: Path, name: str, subject: str, authority: str, *extensions: str) -> None:
    _openssl(
        *("req", "-x509", *_KEY, "-days", _DAYS, "-subj", subject),
        *("-CA", folder / f"{authority}.crt", "-CAkey", folder / f"{authority}.key"),
        *("-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=critical,digitalSignature", *extensions),
        *("-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"),
    )


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise WorkbenchError(f"openssl {arguments[0]} failed (version 3.0 or newer is needed): {done.stderr.strip()[-500:]}")
