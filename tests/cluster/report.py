"""What is worth reading after a failure: events, pods, their logs, and the state of the cluster's components."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from workbench.cluster.layout import default_folder, open_layout
from workbench.paths import ROOT, cache


def write_report(kubectl: Callable[..., str], name: str) -> Path:
    """A new folder below the cache (reports/) with the cluster's state now; parts that cannot be had hold the reason."""
    folder = cache() / "reports" / f"{time.strftime('%Y%m%d-%H%M%S')}-{re.sub(r'[^a-zA-Z0-9_-]+', '-', name)}"
    folder.mkdir(parents=True, exist_ok=True)
    status = subprocess.run([ROOT / "scripts" / "cluster", "status"], capture_output=True, text=True)
    (folder / "components.txt").write_text(status.stdout + status.stderr)
    for part, arguments in {
        "nodes.txt": ("describe", "nodes"),
        "pods.txt": ("describe", "pods", "--all-namespaces"),
        "events.txt": ("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"),
        "objects.txt": ("get", "all,pvc,pv,networkpolicies", "--all-namespaces", "-o", "wide"),
    }.items():
        (folder / part).write_text(_told(kubectl, *arguments))
    layout = open_layout(default_folder())
    for log in layout.logs.glob("*.log") if layout is not None else ():
        lines = log.read_text(errors="replace").splitlines(keepends=True)
        (folder / f"component-{log.name}").write_text("".join(lines[-1000:]))
    try:
        pods = json.loads(kubectl("get", "pods", "--all-namespaces", "-o", "json"))["items"]
    except (AssertionError, ValueError, subprocess.TimeoutExpired):
        pods = []
    for pod in pods:
        space, pod_name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]:
            text = _told(kubectl, "logs", "-n", space, pod_name, "-c", container["name"], "--tail=2000")
            (folder / f"{space}-{pod_name}-{container['name']}.log").write_text(text)
    return folder


def _told(kubectl: Callable[..., str], *arguments: str) -> str:
    try:
        return kubectl(*arguments, seconds=60)
    except (AssertionError, subprocess.TimeoutExpired) as reason:
        return f"{reason}\n"
