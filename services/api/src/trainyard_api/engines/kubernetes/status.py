"""From what Kubernetes shows of an attempt to where it stands. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from trainyard_api.engines.base import EngineStatus, Phase
from trainyard_api.engines.driver import cause_of_exit, want_of_memory
from trainyard_api.engines.kubernetes import pods as pod_words
from trainyard_api.engines.kubernetes.api import Object
from trainyard_api.engines.kubernetes.names import QUEUE, STOPPED
from trainyard_api.engines.kubernetes.pods import Loss
from trainyard_api.failures import FailureKind

#: KubeRay writes a first status within moments.
_TAKEN_UP_SECONDS = 10.0


_METADATA = ("name", "namespace", "uid", "resourceVersion", "labels", "annotations", "creationTimestamp", "deletionTimestamp")
_STATUS = ("jobDeploymentStatus", "jobStatus", "message", "reason")


def trim_rayjob(rayjob: Object) -> Object:
    """What is looked at of a RayJob. Nearly all of one is the templates of its pods, and thousands may wait in a queue."""
    spec, status = rayjob.get("spec") or {}, rayjob.get("status") or {}
    groups = (spec.get("rayClusterSpec") or {}).get("workerGroupSpecs") or []
    trimmed: Object = {
        "metadata": _picked(rayjob["metadata"], _METADATA),
        "spec": {
            **_picked(spec, ("suspend", "activeDeadlineSeconds")),
            "rayClusterSpec": {"workerGroupSpecs": [_picked(group, ("replicas",)) for group in groups]},
        },
        "status": _picked(status, _STATUS),
    }
    if "rayJobInfo" in status:
        trimmed["status"]["rayJobInfo"] = _picked(status["rayJobInfo"] or {}, ("startTime",))
    if "rayClusterStatus" in status:
        trimmed["status"]["rayClusterStatus"] = _picked(status["rayClusterStatus"] or {}, ("conditions",))
    return trimmed


def trim_workload(workload: Object) -> Object:
    """What is looked at of a Kueue Workload, which holds the templates of its pods once more."""
    metadata = _picked(workload["metadata"], ("name", "namespace", "uid", "resourceVersion", "ownerReferences"))
    return {"metadata": metadata, "status": _picked(workload.get("status") or {}, ("conditions",))}


def _picked(item: Object, names: tuple[str, ...]) -> Object:
    return {name: item[name] for name in names if name in item}


@dataclass(frozen=True)
class View:
    """One attempt as Kubernetes shows it: its RayJob, pods and Kueue Workload.

    ``loss`` is why a pod of it was lost, when one was; ``silent_nodes`` are those that do not report; ``age`` is in seconds.
    """

    rayjob: Object
    pods: list[Object] = field(default_factory=list)
    workload: Object | None = None
    loss: Loss | None = None
    silent_nodes: frozenset[str] = frozenset()
    age: float = 0.0

    @property
    def living_pods(self) -> list[Object]:
        """Those in which something of the job may run.

        One that is being deleted on a node that is gone will not say so any more, and in a replaced head that went at once nothing did.
        """
        started = (self.rayjob.get("status", {}).get("rayJobInfo") or {}).get("startTime")
        return [
            pod
            for pod in self.pods
            if pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")
            and not (pod["metadata"].get("deletionTimestamp") and pod["spec"].get("nodeName") in self.silent_nodes)
            and not pod_words.is_stillborn(pod, started)
        ]


def started_at(rayjob: Object) -> str | None:
    """When the driver started (RFC 3339), None before and after it ran."""
    status = rayjob.get("status", {})
    if status.get("jobDeploymentStatus") != "Running" or status.get("jobStatus") not in ("PENDING", "RUNNING"):
        return None
    started = (status.get("rayJobInfo") or {}).get("startTime")
    return str(started) if started else None


def wanted_pods(rayjob: Object) -> int:
    """How many pods the attempt has when it is whole."""
    groups = rayjob["spec"]["rayClusterSpec"].get("workerGroupSpecs") or []
    return 1 + sum(int(group.get("replicas") or 0) for group in groups)


def status_of(view: View) -> EngineStatus:
    """Where the attempt stands."""
    rayjob, status = view.rayjob, view.rayjob.get("status", {})
    if rayjob["metadata"].get("deletionTimestamp"):
        message, kind = "its RayJob was deleted from outside Trainyard", FailureKind.INFRASTRUCTURE
        if view.living_pods:
            return EngineStatus(Phase.RUNNING, message, doomed=True, kind=kind)
        return EngineStatus(Phase.MISSING, message, kind=kind)
    ended = _ended(view)
    if ended is not None:
        return ended
    deployment, job = status.get("jobDeploymentStatus") or "", status.get("jobStatus") or ""
    if view.loss is not None:
        return EngineStatus(Phase.RUNNING, view.loss.reason, doomed=True, kind=view.loss.kind)
    if rayjob["spec"].get("suspend"):
        return _held_back(view)
    if deployment == "Running" and job == "RUNNING":
        return EngineStatus(Phase.RUNNING, _silence(view))
    return _starting(view)


def _ended(view: View) -> EngineStatus | None:
    status = view.rayjob.get("status", {})
    deployment, job, message = status.get("jobDeploymentStatus") or "", status.get("jobStatus") or "", _first_line(status.get("message"))
    if deployment == "ValidationFailed":
        return EngineStatus(Phase.FAILED, f"KubeRay refuses the RayJob: {message}")
    if job == "SUCCEEDED":
        return EngineStatus(Phase.SUCCEEDED)
    if job == "FAILED":
        return _lost(view.loss) if view.loss else _exit(message)
    asked = STOPPED in (view.rayjob["metadata"].get("annotations") or {})
    if asked and deployment in ("", "Suspended") and view.rayjob["spec"].get("suspend") and not view.living_pods:
        return EngineStatus(Phase.STOPPED)
    if deployment not in ("Complete", "Failed"):
        return None
    if view.living_pods:  # on their way out
        return EngineStatus(Phase.RUNNING, message)
    if asked or job == "STOPPED" or deployment == "Complete":
        return EngineStatus(Phase.STOPPED)
    if status.get("reason") == "DeadlineExceeded":
        return EngineStatus(
            Phase.FAILED, f"ran past its deadline; KubeRay ended it after {view.rayjob['spec'].get('activeDeadlineSeconds')} s"
        )
    why = message or f"KubeRay gave up: {status.get('reason') or 'it does not say why'}"
    return _lost(view.loss or Loss(why))


def _held_back(view: View) -> EngineStatus:
    """Kueue has suspended it: not admitted yet, or no longer."""
    queue = (view.rayjob["metadata"].get("labels") or {}).get(QUEUE)
    where = f"waits in the queue {queue!r}" if queue else "is suspended from outside Trainyard"
    conditions = {row["type"]: row for row in ((view.workload or {}).get("status") or {}).get("conditions") or []}
    evicted = conditions.get("Evicted", {})
    if evicted.get("status") == "True":
        message = f"the queue took its resources back: {_first_line(evicted.get('message'))}"
        return EngineStatus(Phase.RUNNING, message, doomed=True, kind=FailureKind.INFRASTRUCTURE)
    reserved = conditions.get("QuotaReserved", {})
    why = _first_line(reserved.get("message")) if reserved.get("status") == "False" else None
    return EngineStatus(Phase.QUEUED, f"{where}: {why}" if why else where)


def _starting(view: View) -> EngineStatus:
    wanted = wanted_pods(view.rayjob)
    crowded = any(pod_words.is_crowded_out(pod) for pod in view.pods)
    placed = sum(1 for pod in view.pods if pod_words.is_placed(pod) and not pod["metadata"].get("deletionTimestamp"))
    message = pod_words.crowding(view.pods, wanted) if crowded else next(filter(None, map(pod_words.trouble_of, view.pods)), None)
    if message is None and len(view.pods) < wanted:
        message = _refused_pods(view.rayjob)
    if message is None and not view.rayjob.get("status") and view.age > _TAKEN_UP_SECONDS:
        message = "KubeRay has not taken the job up; its operator may not be running, or not watch this namespace"
    return EngineStatus(Phase.PENDING, message or _silence(view), incomplete=placed < wanted, crowded=crowded)


def _refused_pods(rayjob: Object) -> str | None:
    """Why the API server takes no pod of it: KubeRay passes on what it was told."""
    for row in (rayjob.get("status", {}).get("rayClusterStatus") or {}).get("conditions") or []:
        if row.get("type") == "ReplicaFailure" and row.get("status") == "True":
            # KubeRay's own word for it comes first, then what the API server said.
            message = ([line.strip() for line in str(row.get("message") or "").splitlines() if line.strip()] or [""])[-1][:500]
            if "exceeded quota" in message:
                return f"the team's quota is used up: {message[message.index('exceeded quota') :]}"
            return f"its pods are refused: {message}"
    return None


def _silence(view: View) -> str | None:
    silent = sorted({str(pod["spec"].get("nodeName")) for pod in view.pods} & view.silent_nodes)
    return f"node {', '.join(silent)} does not answer" if silent else None


def _lost(loss: Loss) -> EngineStatus:
    return EngineStatus(Phase.FAILED, loss.reason, kind=loss.kind)


def _exit(message: str | None) -> EngineStatus:
    """What Ray says of a driver that failed."""
    code = re.search(r"exit code (-?\d+)", message or "")
    if code is None and (sentence := want_of_memory(message or "")):
        return EngineStatus(Phase.FAILED, sentence, kind=FailureKind.OUT_OF_MEMORY)
    if code is None:
        return EngineStatus(Phase.FAILED, message or "the job's driver failed", kind=None if message else FailureKind.INFRASTRUCTURE)
    return EngineStatus(Phase.FAILED, f"the job's driver ended with exit code {code[1]}", kind=cause_of_exit(int(code[1])))


def _first_line(message: object) -> str | None:
    """The first line of what Ray, KubeRay or Kueue says."""
    lines = [line.strip() for line in str(message or "").splitlines() if line.strip()]
    return lines[0][:500] if lines else None
