"""Pods of the tests' own image, as Pod Security `restricted` wants them."""

import json
from typing import Any

from tests.cluster.kubectl import Kubectl


def pod(name: str, image: str, *arguments: str, claim: str | None = None, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """A pod that runs the toolbox with ``arguments``; a claim is mounted at /data."""
    container: dict[str, Any] = {
        "name": "main",
        "image": image,
        "args": list(arguments),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True},
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "fsGroup": 2000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    if claim is not None:
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name, **(labels or {})}}, "spec": spec}


def create(kubectl: Kubectl, namespace: str, *objects: dict[str, Any]) -> None:
    """Create the objects in the namespace."""
    kubectl("create", "-n", namespace, "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def serving(kubectl: Kubectl, namespace: str, image: str, name: str, *, claim: str | None = None) -> None:
    """A pod that serves its name over HTTP on port 8080, ready to be used and to be asked things by ``in_pod``."""
    create(kubectl, namespace, pod(name, image, "serve", f"I am {name}", claim=claim))
    kubectl("wait", "-n", namespace, f"pod/{name}", "--for=condition=Ready", "--timeout=240s")


def in_pod(kubectl: Kubectl, namespace: str, name: str, *arguments: str) -> str:
    """What the toolbox prints when it is run in the pod; AssertionError when it fails."""
    return kubectl("exec", "-n", namespace, name, "--", "/toolbox", *arguments).strip()
