"""The RayJob of one attempt. What is not a field of `RayJobValues` cannot be set, whoever asks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from trainyard_templates.kubernetes.rendering import render
from trainyard_templates.ray_train import RAY_TRAIN

RAY_VERSION = "2.60.0"
#: Where pods keep what is not in the object store yet.
SPOOL_DIR = "/var/spool/trainyard"


@dataclass(frozen=True)
class PodShape:
    """The size of one pod: CPU in thousandths of a core, memory in bytes, whole GPUs; and how many CPUs Ray may hand out in it."""

    cpu_millis: int
    memory_bytes: int
    gpus: int
    ray_cpus: int

    def template_values(self) -> dict[str, Any]:
        """As the template writes them: Kubernetes quantities, and Ray's options, which are texts."""
        gpus = {"nvidia.com/gpu": str(self.gpus)} if self.gpus else {}
        memory = {"memory": str(self.memory_bytes)}
        start = {"num-cpus": str(self.ray_cpus), "num-gpus": str(self.gpus), "object-store-memory": str(256 * 2**20)}
        return {
            "requests": {"cpu": f"{self.cpu_millis}m", **memory, **gpus},
            # No limit on the CPU: it would throttle the imports at the start, and requests already share the cores fairly.
            "limits": {**memory, **gpus},
            "shared_memory": str(self.memory_bytes // 2),
            "ray_start": start,
            "tolerations": [*_LOST_NODES, *([_GPU_NODES] if self.gpus else [])],
        }


_GPU_NODES = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
#: A node that is gone takes the attempt with it; the next one should not wait the usual five minutes.
_LOST_NODES = [
    {"key": f"node.kubernetes.io/{trouble}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 15}
    for trouble in ("not-ready", "unreachable")
]


@dataclass(frozen=True)
class RayJobValues:
    """Everything in which one attempt's RayJob differs from another's.

    Attributes:
        name: at most 47 characters, a DNS-1035 label.
        labels, pod_labels: of the RayJob; of its pods.
        driver_environment: variables of the head's container, for the driver.
        pod_environment: variables of every container. All are taken literally, also where they hold `$(NAME)`.
        secret: name of the Secret with the object store's credentials.
        head, worker: sizes; `replicas` worker pods stand beside the head.
        deadline_seconds: after which KubeRay ends the attempt.
    """

    name: str
    namespace: str
    labels: dict[str, str]
    pod_labels: dict[str, str]
    driver_environment: dict[str, str]
    image: str
    head: PodShape
    worker: PodShape | None = None
    replicas: int = 0
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    service_account: str = "default"
    pod_environment: dict[str, str] = field(default_factory=dict)
    secret: str | None = None
    deadline_seconds: int | None = None


def render_rayjob(values: RayJobValues) -> dict[str, Any]:
    """The object to send to the API server."""
    groups: list[dict[str, Any]] = [{"shape": values.head.template_values()}]
    if values.worker is not None and values.replicas:
        groups.append({"shape": values.worker.template_values(), "replicas": values.replicas})
    return render(
        "rayjob.json.j2",
        **{name: value for name, value in asdict(values).items() if name not in ("head", "worker", "replicas", "driver_environment")},
        head=groups[0],
        workers=groups[1:],
        # Not as the Ray job's runtime environment: workers that Ray has started ahead fit only jobs without one.
        driver_environment=_literal(values.driver_environment),
        environment=_container_environment(values),
        pull_secret_names=[{"name": name} for name in values.pull_secrets],
        ray_version=RAY_VERSION,
        spool_dir=SPOOL_DIR,
    )


def _container_environment(values: RayJobValues) -> list[dict[str, Any]]:
    """As a container's `env` list."""
    literal = _literal(RAY_TRAIN | values.pod_environment)
    if not values.secret:
        return literal
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    return literal + [{"name": key, "valueFrom": {"secretKeyRef": {"name": values.secret, "key": key}}} for key in keys]


def _literal(variables: dict[str, str]) -> list[dict[str, Any]]:
    """Kubernetes expands `$(NAME)` in values; two dollars stand for one."""
    return [{"name": name, "value": value.replace("$", "$$")} for name, value in sorted(variables.items())]
