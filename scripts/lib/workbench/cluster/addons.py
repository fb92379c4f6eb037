"""What a new cluster needs inside itself: name service, the default StorageClass, and the rights of our own components."""

import hashlib
from typing import Any

from workbench.cluster.layout import DNS_SERVICE

PROVISIONER = "trainyard.dev/node-folder"
_DNS_LABELS = {"k8s-app": "kube-dns"}

#: There is no way out of the node: other names are answered at once instead of being asked for in vain.
_COREFILE = """cluster.local in-addr.arpa {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa {
        pods insecure
        ttl 5
    }
    cache 5
}
. {
    template ANY ANY {
        rcode NXDOMAIN
    }
}
"""


def manifests(dns_image: str) -> dict[str, Any]:
    """One List for `kubectl apply`."""
    return {"apiVersion": "v1", "kind": "List", "items": [*_storage(), *_router(), *_dns(dns_image)]}


def _storage() -> list[dict[str, Any]]:
    rules = [
        _rule("", ["persistentvolumes"], ["get", "list", "watch", "create", "delete"]),
        _rule("", ["persistentvolumeclaims"], ["get", "list", "watch"]),
        _rule("storage.k8s.io", ["storageclasses"], ["get", "list", "watch"]),
    ]
    return [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": PROVISIONER,
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "Immediate",
        },
        *_cluster_role("trainyard:provisioner", rules, {"kind": "User", "name": "trainyard:provisioner"}),
    ]


def _router() -> list[dict[str, Any]]:
    read = ["get", "list", "watch"]
    rules = [
        _rule("", ["namespaces", "pods", "services", "nodes", "endpoints"], read),
        _rule("networking.k8s.io", ["networkpolicies"], read),
        _rule("discovery.k8s.io", ["endpointslices"], read),
    ]
    return _cluster_role("trainyard:kube-router", rules, {"kind": "User", "name": "trainyard:kube-router"})


def _dns(image: str) -> list[dict[str, Any]]:
    metadata = {"name": "coredns", "namespace": "kube-system", "labels": _DNS_LABELS}
    rules = [
        _rule("", ["endpoints", "services", "pods", "namespaces"], ["list", "watch"]),
        _rule("discovery.k8s.io", ["endpointslices"], ["list", "watch"]),
    ]
    container = {
        "name": "coredns",
        "image": image,
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "resources": {"requests": {"cpu": "10m", "memory": "30Mi"}, "limits": {"memory": "170Mi"}},
        "ports": [{"name": "dns", "containerPort": 53, "protocol": "UDP"}, {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"}],
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": 8080},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "initialDelaySeconds": 30,
        },
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1, "timeoutSeconds": 5},
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        },
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    written = {"trainyard.dev/corefile": hashlib.sha256(_COREFILE.encode()).hexdigest()[:16]}  # another one needs another pod
    ports = [{"name": f"dns-{kind.lower()}", "port": 53, "targetPort": 53, "protocol": kind} for kind in ("UDP", "TCP")]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        *_cluster_role("trainyard:coredns", rules, {"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"Corefile": _COREFILE}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": _DNS_LABELS},
                "template": {"metadata": {"labels": _DNS_LABELS, "annotations": written}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**metadata, "name": "kube-dns"},
            # A kubelet that has just started calls every pod unready until it has asked it; the only one goes on answering meanwhile.
            "spec": {"clusterIP": DNS_SERVICE, "selector": _DNS_LABELS, "ports": ports, "publishNotReadyAddresses": True},
        },
    ]


def _cluster_role(name: str, rules: list[dict[str, Any]], subject: dict[str, str]) -> list[dict[str, Any]]:
    group = "rbac.authorization.k8s.io"
    if subject["kind"] == "User":
        subject = {"apiGroup": group, **subject}
    return [
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [subject],
        },
    ]


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}
