"""KubeRay as an engine: each attempt is one RayJob with a Ray cluster of its own, followed by watches."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from trainyard_api.engines.base import Capacity, Engine, EngineStatus, Phase, Submission, SubmissionRefused
from trainyard_api.engines.driver import driver_environment
from trainyard_api.engines.kubernetes import names, nodes
from trainyard_api.engines.kubernetes.api import ApiError, ApiUnreachable, KubeApi, Object, connect
from trainyard_api.engines.kubernetes.cluster import Cluster, Namespace, unavailable
from trainyard_api.engines.kubernetes.losses import lost
from trainyard_api.engines.kubernetes.sizing import lay_out
from trainyard_api.engines.kubernetes.status import View, status_of, wanted_pods
from trainyard_api.failures import FailureKind
from trainyard_api.settings import Settings
from trainyard_api.teams import Team, Teams, UnknownTeam, load_teams
from trainyard_templates.kubernetes import RayJobValues, render_rayjob
from trainyard_templates.kubernetes.rayjob import SPOOL_DIR

#: KubeRay ends an attempt this long after its deadline, should the controller not have done it.
_DEADLINE_GRACE_SECONDS = 60


class KubernetesEngine(Engine):
    """Handles are ``{"submission_id", "namespace"}``; RayJobs are called like their submission."""

    name = "kubernetes"
    starts_whole = False

    def __init__(self, api: KubeApi, settings: Settings, teams: Teams) -> None:
        """Nothing is asked of the cluster before the first call."""
        super().__init__()
        self._api, self._settings, self._teams = api, settings, teams
        namespaces: dict[str, bool] = {}
        for team in teams:
            namespaces[team.namespace] = namespaces.get(team.namespace, False) or team.queue is not None
        self._cluster = Cluster(api, namespaces, settings.instance, self.news.set)
        #: The uids of RayJobs that were deleted here; KubeRay's finalizer keeps them for a moment.
        self._deleted: set[str] = set()

    @classmethod
    def open(cls, settings: Settings) -> KubernetesEngine:
        """The engine of the configured cluster. Raises ValueError when there is none, or the teams file cannot be used."""
        return cls(KubeApi(connect()), settings, load_teams(settings.teams_file))

    def queues(self, team: str) -> bool:
        """See Engine."""
        try:
            return self._teams.get(team).queue is not None
        except UnknownTeam:
            return False

    def submit(self, submission: Submission) -> dict[str, Any]:
        """See Engine."""
        self._cluster.start()
        try:
            team = self._teams.get(submission.team)
        except UnknownTeam as error:
            raise SubmissionRefused(f"{error} any more; submit the job for one of: {', '.join(self._teams.names)}") from error
        handle = {"submission_id": submission.submission_id, "namespace": team.namespace}
        if self._find(handle) is not None:
            return handle
        try:
            made = self._api.create(names.rayjobs(team.namespace), self.rayjob(submission, team))
        except ApiUnreachable as error:
            raise unavailable(error) from error
        except ApiError as error:
            if error.reason == "AlreadyExists":
                return handle
            if error.status in (400, 413, 422) or (error.status == 403 and "admission webhook" in str(error)):
                raise SubmissionRefused(f"Kubernetes refuses the job: {error}") from error
            raise unavailable(error) from error
        self._cluster.namespaces[team.namespace].rayjobs.put(made)
        return handle

    def rayjob(self, submission: Submission, team: Team) -> Object:
        """The RayJob of a submission, sized by what the nodes have free now."""
        settings, resources = self._settings, submission.resources
        layout = lay_out(submission.workers, resources, nodes.free_of(self._cluster.nodes.items(), self._cluster.all_pods.items()))
        labels = names.labels_of(submission, settings.instance)
        kueue = {names.QUEUE: team.queue, names.PRIORITY: team.priority_class} if team.queue else {}
        own_image = settings.trainer_cuda_image if layout.head.gpus > 0 and settings.trainer_cuda_image else settings.trainer_image
        deadline = submission.deadline_seconds
        return render_rayjob(
            RayJobValues(
                name=submission.submission_id,
                namespace=team.namespace,
                labels=labels | {name: value for name, value in kueue.items() if value},
                pod_labels=labels,
                driver_environment=_driver_environment(submission, settings),
                image=submission.image or own_image,
                head=layout.head,
                worker=layout.worker,
                replicas=layout.replicas,
                pull_policy=settings.trainer_image_pull_policy,
                pull_secrets=settings.trainer_image_pull_secrets,
                service_account=team.service_account,
                pod_environment=_pod_environment(settings),
                secret=settings.job_secret or None,
                deadline_seconds=deadline + _DEADLINE_GRACE_SECONDS if deadline else None,
            )
        )

    def carries_on(self, handle: dict[str, Any], *, whole: bool, deadline_seconds: int | None) -> bool:
        """See Engine. KubeRay puts other worker pods in the place of lost ones, and the driver waits for them."""
        self._cluster.start()
        rayjob = self._find(handle)
        if rayjob is None:
            return False
        status = self._status(rayjob)
        if status.phase is not Phase.RUNNING or status.doomed:
            return False
        if whole and len(self._pods(rayjob)) < wanted_pods(rayjob):
            return False
        if deadline_seconds:
            seconds = math.ceil(_age(rayjob)) + deadline_seconds + _DEADLINE_GRACE_SECONDS
            return self._merge(rayjob, {"spec": {"activeDeadlineSeconds": seconds}})
        return True

    def stop(self, handle: dict[str, Any]) -> None:
        """See Engine. KubeRay takes down what has passed its deadline, and keeps the record of it; so the deadline is now."""
        self._cluster.start()
        rayjob = self._find(handle)
        if rayjob is None or self._status(rayjob).phase.ended or names.STOPPED in (rayjob["metadata"].get("annotations") or {}):
            return
        self._merge(rayjob, {"metadata": {"annotations": {names.STOPPED: "true"}}, "spec": {"activeDeadlineSeconds": 1}})

    def delete(self, handle: dict[str, Any]) -> None:
        """See Engine."""
        self._cluster.start()
        rayjob = self._find(handle)
        if rayjob is None:
            return
        try:
            self._api.delete(_path(rayjob))
        except ApiError as error:
            if error.status != 404:
                raise unavailable(error) from error
        except ApiUnreachable as error:
            raise unavailable(error) from error
        self._deleted.add(rayjob["metadata"]["uid"])
        attempt = names.attempt_of(rayjob)
        namespace = self._cluster.namespaces.get(rayjob["metadata"]["namespace"])
        if namespace is not None and attempt is not None:
            namespace.losses.forget(attempt)

    def submissions(self) -> list[dict[str, Any]]:
        """See Engine. Reads the local copies."""
        self._cluster.start()
        found = [rayjob["metadata"] for followed in self._cluster.namespaces.values() for rayjob in followed.rayjobs.items()]
        return [
            {"submission_id": one["name"], "namespace": one["namespace"]}
            for one in found
            if one["uid"] not in self._deleted and not one.get("deletionTimestamp")
        ]

    def describe(self, handle: dict[str, Any]) -> EngineStatus:
        """See Engine. Reads the local copies, which stay as they were while the API server is away."""
        self._cluster.start()
        rayjob = self._find(handle)
        if rayjob is None:
            message = "Kubernetes has no such RayJob; it was deleted from outside Trainyard"
            return EngineStatus(Phase.MISSING, message, kind=FailureKind.INFRASTRUCTURE)
        return self._status(rayjob)

    def last_lines(self, handle: dict[str, Any], count: int = 20) -> list[str]:
        """See Engine. Ray puts the end of a failed driver's output into its message."""
        self._cluster.start()
        rayjob = self._find(handle)
        message = str(((rayjob or {}).get("status") or {}).get("message") or "")
        return [line for line in message.splitlines() if line.strip()][-count:]

    def capacity(self) -> Capacity:
        """See Engine: the nodes that take jobs, less what the pods of others ask for."""
        self._cluster.start()
        self._cluster.check()
        return nodes.capacity(self._cluster.nodes.items(), self._cluster.other_pods())

    def close(self) -> None:
        """See Engine."""
        self._cluster.stop()

    # --- looking ----------------------------------------------------------------------------------------------------

    def _find(self, handle: dict[str, Any]) -> Object | None:
        """The RayJob of a handle; what the copies do not have is asked for, because they may be behind. Raises EngineUnavailable."""
        name, wanted = handle["submission_id"], handle.get("namespace")
        places = [wanted] if wanted else list(self._cluster.namespaces)
        found: Object | None = None
        for place in places:
            followed = self._cluster.namespaces.get(place)
            found = found or (followed.rayjobs.get(place, name) if followed else None)
        for place in places if found is None else ():
            found = found or self._ask(place, name)
        return None if found is None or found["metadata"]["uid"] in self._deleted else found

    def _ask(self, namespace: str, name: str) -> Object | None:
        try:
            return self._keep(self._api.get(f"{names.rayjobs(namespace)}/{name}"))
        except ApiError as error:
            if error.status == 404:
                return None
            raise unavailable(error) from error
        except ApiUnreachable as error:
            raise unavailable(error) from error

    def _keep(self, rayjob: Object) -> Object:
        followed = self._cluster.namespaces.get(rayjob["metadata"]["namespace"])
        if followed is not None:
            followed.rayjobs.put(rayjob)
        return rayjob

    def _merge(self, rayjob: Object, patch: Object) -> bool:
        """Change the RayJob; False when it is gone. Raises EngineUnavailable."""
        try:
            self._keep(self._api.merge(_path(rayjob), patch))
        except ApiError as error:
            if error.status != 404:
                raise unavailable(error) from error
            return False
        except ApiUnreachable as error:
            raise unavailable(error) from error
        return True

    def _pods(self, rayjob: Object) -> list[Object]:
        """Its pods, without those that are on their way out."""
        followed, attempt = self._cluster.namespaces.get(rayjob["metadata"]["namespace"]), names.attempt_of(rayjob)
        found = followed.pods.group(attempt) if followed is not None and attempt is not None else []
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    def _status(self, rayjob: Object) -> EngineStatus:
        followed, attempt = self._cluster.namespaces.get(rayjob["metadata"]["namespace"]), names.attempt_of(rayjob)
        if followed is None or attempt is None:
            return status_of(View(rayjob))
        pods = followed.pods.group(attempt)
        loss = followed.losses.of(attempt) or next(filter(None, (lost(pod, rayjob) for pod in pods)), None)
        return status_of(View(rayjob, pods, _workload(followed, rayjob), loss, self._cluster.silent_nodes, _age(rayjob)))


def _workload(namespace: Namespace, rayjob: Object) -> Object | None:
    found = namespace.workloads.group(rayjob["metadata"]["uid"]) if namespace.workloads else []
    return found[0] if found else None


def _age(rayjob: Object) -> float:
    """Seconds since it was made."""
    return (datetime.now(UTC) - datetime.fromisoformat(rayjob["metadata"]["creationTimestamp"])).total_seconds()


def _path(rayjob: Object) -> str:
    return f"{names.rayjobs(rayjob['metadata']['namespace'])}/{rayjob['metadata']['name']}"


def _driver_environment(submission: Submission, settings: Settings) -> dict[str, str]:
    """The driver's variables, with places as a pod sees them."""
    variables = driver_environment(submission) | {"TRAINYARD_SPOOL_DIR": SPOOL_DIR}
    if variables.get("TRAINYARD_MLFLOW_URL") and settings.job_mlflow_url:
        variables["TRAINYARD_MLFLOW_URL"] = settings.job_mlflow_url
    return variables


def _pod_environment(settings: Settings) -> dict[str, str]:
    """Variables of every container: how the object store is reached, and no reports of use."""
    variables = {
        "AWS_REGION": settings.job_s3_region,
        "AWS_DEFAULT_REGION": settings.job_s3_region,
        "HOME": "/home/ray",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    if settings.job_s3_endpoint_url:
        variables["AWS_ENDPOINT_URL"] = settings.job_s3_endpoint_url
    if settings.job_secret:
        variables["AWS_EC2_METADATA_DISABLED"] = "true"
    return variables
