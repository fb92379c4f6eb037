"""Submit to first optimizer step on a cluster, every pod made anew: against RayJobs that are applied by hand."""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import Any

from tests.bench.jobs import WORKLOADS, await_pool
from tests.bench.pairs import Figure, alternate
from tests.chaos.kubernetes import ClusterYard
from tests.cluster.images import push_images
from tests.support.waiting import wait_for
from trainyard_templates import get
from trainyard_templates.kubernetes.rayjob import RAY_VERSION

_PEERS = "bench-test"
#: From the start of a driver on, until its first step is asked for: asking takes part of the processors.
_UNDISTURBED_SECONDS = 12
#: Per template: what keeps the training short. One worker, as in KubeRay's sample.
SHORT: dict[str, dict[str, Any]] = {
    "image-classification": {"epochs": 1, "checkpoint_every": 0, "workers": 1},
    "tabular": {"epochs": 1, "checkpoint_every": 0, "workers": 1},
}
#: Prints the time of an attempt's first step from the records in the object store.
_RECORDED = """
import boto3, json, sys
store = boto3.client("s3")
for one in store.list_objects_v2(Bucket="trainyard", Prefix=sys.argv[1]).get("Contents", []):
    for line in store.get_object(Bucket="trainyard", Key=one["Key"])["Body"].read().splitlines():
        if b"first_step" in line:
            print(json.loads(line)["time"])
            sys.exit()
"""


def submitted(yard: ClusterYard, template: str, **size: float) -> float:
    """Seconds from the POST to the first optimizer step."""
    begun = time.time()
    job = yard.client.submit(template, parameters={**SHORT[template], **yard.size, **size})
    done = yard.ended(job.id)
    assert done.state == "SUCCEEDED", done.reason
    [stamp] = [event.time for event in yard.client.job_events(job.id) if event.name == "first_step"]
    yard.assert_gone(job.id)
    return stamp.timestamp() - begun


class SampleRayJob:
    """A RayJob shaped like KubeRay's ray-job.sample.yaml (a submitter, a head, a worker, the usual probes), with our image and trainer."""

    def __init__(self, yard: ClusterYard) -> None:
        self._yard = yard
        self._image = ":".join(push_images("trainer-cpu")["trainer-cpu"])

    def __enter__(self) -> SampleRayJob:
        """Its namespace and its program."""
        program = WORKLOADS / "ray_train_ready.py"
        self._yard.platform.kubectl("create", "namespace", _PEERS)
        self._kubectl("create", "configmap", "program", f"--from-file={program}")
        return self

    def __exit__(self, *_: object) -> None:
        """Take all away."""
        self._yard.platform.kubectl("delete", "namespace", _PEERS, "--timeout=240s")

    def _kubectl(self, *arguments: str, input: str | None = None, seconds: float = 300) -> str:
        return self._yard.platform.kubectl("--namespace", _PEERS, *arguments, input=input, seconds=seconds)

    def applied(self, template: str) -> float:
        """Seconds from `kubectl apply` to the first optimizer step."""
        name = f"sample-{secrets.token_hex(4)}"
        begun = time.time()
        self._kubectl("apply", "--filename=-", input=json.dumps(self._manifest(name, template)))
        self._kubectl("wait", f"rayjob/{name}", "--for=jsonpath={.status.jobStatus}=SUCCEEDED", "--timeout=600s", seconds=620)
        log = self._kubectl("logs", f"job/{name}")
        found = re.search(r"first step at ([\d.]+)", log)
        assert found, f"the peer told of no first step: {log[-1000:]}"
        self._kubectl("delete", "rayjob", name, "--timeout=120s")
        wait_for("its pods to be gone", lambda: not self._kubectl("get", "pods", "--output=name").split(), seconds=180, every=0.5)
        return float(found.group(1)) - begun

    def _manifest(self, name: str, template: str) -> dict[str, Any]:
        kind = get(template)
        given = {key: value for key, value in SHORT[template].items() if key != "workers"}
        config = kind.render(kind.validate(given)).config
        settings = {**config, "trainer": template.replace("-", "_"), "workers": 1}
        resources = {"requests": {"cpu": "200m"}, "limits": {"cpu": "1"}}

        def pod(role: str) -> dict[str, Any]:
            container = {
                "name": role,
                "image": self._image,
                "resources": resources,
                "volumeMounts": [{"name": "program", "mountPath": "/program"}],
            }
            return {"spec": {"containers": [container], "volumes": [{"name": "program", "configMap": {"name": "program"}}]}}

        return {
            "apiVersion": "ray.io/v1",
            "kind": "RayJob",
            "metadata": {"name": name},
            "spec": {
                "entrypoint": f"python /program/ray_train_ready.py '{json.dumps(settings)}'",
                "shutdownAfterJobFinishes": True,
                "ttlSecondsAfterFinished": 60,
                "rayClusterSpec": {
                    "rayVersion": RAY_VERSION,
                    "headGroupSpec": {"rayStartParams": {}, "template": pod("ray-head")},
                    "workerGroupSpecs": [
                        {
                            "groupName": "small-group",
                            "replicas": 1,
                            "minReplicas": 1,
                            "maxReplicas": 5,
                            "rayStartParams": {},
                            "template": pod("ray-worker"),
                        }
                    ],
                },
            },
        }


class IdenticalRayJob:
    """The very RayJob that the platform rendered for a job, applied by hand under another job's name."""

    def __init__(self, yard: ClusterYard) -> None:
        self._yard = yard

    def applied(self, template: str) -> float:
        """Seconds from `kubectl apply` to the first optimizer step."""
        manifest, job_id = self.rendered(template)
        begun = time.time()
        self._yard.in_team("apply", "--filename=-", input=json.dumps(manifest))
        name = manifest["metadata"]["name"]
        self._yard.in_team("wait", f"rayjob/{name}", "--for=jsonpath={.status.jobStatus}=RUNNING", "--timeout=300s", seconds=320)
        time.sleep(_UNDISTURBED_SECONDS)
        where = ("exec", "deployment/trainyard-api", "--", "python", "-c", _RECORDED)
        printed = wait_for(
            "the peer's first step", lambda: self._yard.kubectl(*where, f"platform/jobs/{job_id}/attempts/1/records/").strip(), seconds=120
        )
        # Not at its own end: it has no run in MLflow, and waits for one to log its model.
        self._yard.in_team("delete", "rayjob", name, "--timeout=120s")
        wait_for("its pods to be gone", lambda: not self._yard.in_team("get", "pods", "--output=name").split(), seconds=180, every=0.5)
        return float(printed) - begun

    def rendered(self, template: str) -> tuple[dict[str, Any], str]:
        """What the platform makes of a submission, as another job's; and that job's id. The submitted one is cancelled."""
        job = self._yard.client.submit(template, parameters={**SHORT[template], **self._yard.size})
        selector = f"--selector=trainyard.dev/job-id={job.id}"
        items: list[dict[str, Any]] = wait_for(
            "the RayJob",
            lambda: json.loads(self._yard.in_team("get", "rayjobs", selector, "--output=json"))["items"],
            seconds=120,
            every=0.1,
        )
        self._yard.client.cancel_job(job.id)
        self._yard.ended(job.id)
        self._yard.assert_gone(job.id)
        other = job.id[:-6] + secrets.token_hex(3)
        manifest = json.loads(json.dumps(items[0]).replace(job.id, other))
        # Without its labels, so that the controller does not take it for an orphan of its own.
        manifest["metadata"] = {"name": manifest["metadata"]["name"], "namespace": manifest["metadata"]["namespace"]}
        manifest.pop("status", None)
        return manifest, other


def against_sample(yard: ClusterYard, pairs: int, template: str) -> Figure:
    """Ours against the sample-shaped RayJob."""
    with SampleRayJob(yard) as peer:
        title = f"Submit to first optimizer step, cold ({template})"
        first, second = alternate(title, pairs, lambda: submitted(yard, template), lambda: peer.applied(template), rehearsed=True)
    return Figure(
        title, "s", "`kubectl apply` of a RayJob shaped like KubeRay's sample, same operator, image, trainer", first, second, goal=0.35
    )


def against_identical(yard: ClusterYard, pairs: int, template: str) -> Figure:
    """Ours against the same manifest without the platform."""
    peer = IdenticalRayJob(yard)
    title = f"The platform's own part of a cold start ({template})"
    first, second = alternate(title, pairs, lambda: submitted(yard, template), lambda: peer.applied(template), rehearsed=True)
    return Figure(title, "s", "`kubectl apply` of the very RayJob that the platform renders", first, second, goal=1.03)


def on_a_warm_cluster(yard: ClusterYard, pairs: int, template: str) -> Figure:
    """Where a warm cluster waits, against the same platform's cold start of a job that is a little smaller than what waits."""
    cpus = yard.size["cpus_per_worker"]
    pool = {"workers": 1, "cpusPerWorker": cpus, "memoryGbPerWorker": yard.size["memory_gb_per_worker"], "idleMinutes": None}
    yard.platform.install("--reuse-values", f"--set-json=global.teams.default.warm={json.dumps([pool])}")

    def ours() -> float:
        await_pool(yard.client)
        return submitted(yard, template)

    def theirs() -> float:
        await_pool(yard.client)
        return submitted(yard, template, cpus_per_worker=cpus - 0.01)

    title = f"Submit to first optimizer step, warm pool ({template})"
    try:
        first, second = alternate(title, pairs, ours, theirs)
    finally:
        yard.platform.install("--reuse-values", "--set-json=global.teams.default.warm=[]")
    return Figure(title, "s", "the same platform's cold start", first, second, goal=0.15)
