"""A Kubernetes cluster as far as the engine sees it: nodes, RayJobs and pods whose status tests set as KubeRay and the kubelet would."""

from typing import Any

from tests.support.kube_api import KubeServer, Object
from trainyard_api.engines.base import Submission
from trainyard_api.engines.kubernetes import KubernetesEngine
from trainyard_api.engines.kubernetes import names as k8s
from trainyard_api.settings import Settings
from trainyard_api.teams import Team, Teams

GIB = 2**30
TEAMS = Teams(
    items=(
        Team(name="vision", namespace="team-vision", service_account="trainer"),
        Team(name="nlp", namespace="team-nlp", queue="main", priority_class="high"),
    )
)


def settings(**changed: Any) -> Settings:
    """Of a platform in the cluster."""
    values: dict[str, Any] = {
        "engine": "kubernetes",
        "object_store_url": "s3://trainyard",
        "trainer_image": "registry/trainer:1-cpu",
        "trainer_cuda_image": "registry/trainer:1-cuda",
        "job_secret": "trainyard-objects",
        "job_s3_endpoint_url": "http://minio:9000",
        "job_mlflow_url": "http://mlflow:5000",
    }
    return Settings(**(values | changed))


def submission(
    job_id: str = "j1", *, team: str = "vision", workers: int = 2, attempt: int = 1, deadline: int | None = None, **resources: Any
) -> Submission:
    """An attempt of a job."""
    asked = {"workers": workers, "cpus_per_worker": 1.0, "gpus_per_worker": 0.0, "memory_gb_per_worker": None, **resources}
    environment = {"TRAINYARD_JOB_ID": job_id, "TRAINYARD_SPEC": '{"argv": ["$HOME"]}', "TRAINYARD_MLFLOW_URL": "http://127.0.0.1:1"}
    return Submission(f"ty-{job_id}-{attempt}", job_id, attempt, workers, asked, environment, team, deadline)


class FakeCluster:
    """One node with four cores, two teams, and an engine."""

    def __init__(self, server: KubeServer) -> None:
        self.server = server
        self.add_node("node-1", cpus="4")
        self.engine = self.new_engine()

    def new_engine(self) -> KubernetesEngine:
        """Another one on the same cluster, as after a restart."""
        return KubernetesEngine(self.server.api(), settings(), TEAMS)

    def add_node(self, name: str, *, ready: bool = True, **resources: str) -> None:
        """Add or change a node: ``cpus``, ``memory``, ``gpus`` as quantities."""
        allocatable = {"cpu": resources.get("cpus", "4"), "memory": resources.get("memory", "16Gi")}
        if "gpus" in resources:
            allocatable["nvidia.com/gpu"] = resources["gpus"]
        conditions = [{"type": "Ready", "status": "True" if ready else "Unknown"}]
        self.server.put(k8s.NODES, name, spec={}, status={"allocatable": allocatable, "conditions": conditions})

    def rayjob(self, name: str, namespace: str = "team-vision") -> Object:
        """The RayJob as it is in the API server."""
        return self.server.collections[k8s.rayjobs(namespace)][name]

    def set_status(self, name: str, deployment: str, job: str = "", namespace: str = "team-vision", **status: Any) -> None:
        """What KubeRay writes; with a job status, the job started a minute after midnight."""
        status |= {"jobDeploymentStatus": deployment, "jobStatus": job}
        if job:
            status["rayJobInfo"] = {"startTime": "2026-01-01T00:01:00Z"}
        self.server.put(k8s.rayjobs(namespace), name, status=status)

    def set_pod(
        self,
        name: str,
        *,
        job_id: str = "j1",
        head: bool = False,
        node: str | None = "node-1",
        created: str = "2026-01-01T00:00:30Z",
        deleting: bool = False,
        namespace: str = "team-vision",
        cpu: str = "1",
        **status: Any,
    ) -> None:
        """A pod of the job's first attempt."""
        labels = {k8s.JOB: job_id, k8s.ATTEMPT: "1", k8s.INSTANCE: "trainyard", k8s.NODE_TYPE: "head" if head else "worker"}
        metadata: dict[str, Any] = {"labels": labels, "creationTimestamp": created}
        if deleting:
            metadata["deletionTimestamp"] = "2026-01-01T00:02:00Z"
        resources = {"requests": {"cpu": cpu, "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
        spec = {"containers": [{"name": "ray", "resources": resources}], **({"nodeName": node} if node else {})}
        content = {"spec": spec, "status": {"phase": "Running", **status}, "metadata": metadata}
        self.server.put(k8s.pods(namespace), name, namespace, **content)
        self.server.put(k8s.ALL_PODS, name, namespace, **{**content, "metadata": dict(metadata)})

    def remove_pod(self, name: str, namespace: str = "team-vision") -> None:
        """It is gone."""
        self.server.remove(k8s.pods(namespace), name)
        self.server.remove(k8s.ALL_PODS, name)
