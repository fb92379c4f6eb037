"""Before the release is removed: stops the controller, deletes its RayJobs while the operator still cleans up, and pods of failed tests."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

PATIENCE_SECONDS = 240
_RAYJOBS = {"group": "ray.io", "version": "v1", "plural": "rayjobs"}


def main() -> None:
    """Delete and wait; a controller that still ran would start jobs again. Exits with the names of jobs that stay."""
    config.load_incluster_config()
    apps, objects = client.AppsV1Api(), client.CustomObjectsApi()
    _unless_gone(apps.delete_namespaced_deployment, os.environ["CONTROLLER"], os.environ["NAMESPACE"], propagation_policy="Foreground")
    for pod in os.environ["TEST_PODS"].split():
        _unless_gone(client.CoreV1Api().delete_namespaced_pod, pod, os.environ["NAMESPACE"])
    namespaces = sorted({team["namespace"] for team in json.loads(Path(os.environ["TRAINYARD_TEAMS_FILE"]).read_text())})
    selector = f"app.kubernetes.io/instance={os.environ['TRAINYARD_INSTANCE']}"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left := [(namespace, name) for namespace in namespaces for name in _names(objects, namespace, selector)]:
        for namespace, name in left:
            print(f"deleting {namespace}/{name}", flush=True)
            _unless_gone(objects.delete_namespaced_custom_object, namespace=namespace, name=name, **_RAYJOBS)
        if time.monotonic() > deadline:
            sys.exit("these jobs are still there: " + ", ".join("/".join(job) for job in left))
        time.sleep(2)
    print("no job of this release is left", flush=True)


def _names(objects: client.CustomObjectsApi, namespace: str, selector: str) -> list[str]:
    try:
        found = objects.list_namespaced_custom_object(namespace=namespace, label_selector=selector, **_RAYJOBS)
    except ApiException as error:
        if error.status == 404:  # the kind or the namespace is gone
            return []
        raise
    return [item["metadata"]["name"] for item in found["items"]]


def _unless_gone(delete: Callable[..., object], *arguments: str, **options: str) -> None:
    try:
        delete(*arguments, **options)
    except ApiException as error:
        if error.status != 404:
            raise


if __name__ == "__main__":
    main()
