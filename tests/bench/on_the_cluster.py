"""The chart on the test cluster: a lost head against a start, a submission against a bare create, an installation against MLflow's."""

from __future__ import annotations

import contextlib
import json
import secrets
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kubernetes

from tests.bench import portal
from tests.bench.cold_start import SHORT, IdenticalRayJob
from tests.bench.goals import Goal, p95
from tests.bench.jobs import WORKLOADS, printed_figures
from tests.bench.pairs import Figure, alternate
from tests.chaos.kubernetes import ClusterYard, started_cluster
from tests.cluster.images import push_images
from tests.cluster.kubectl import kubectl_of
from tests.cluster.release.platform import Platform, pushed_tags
from tests.support.waiting import wait_for
from trainyard import Client
from trainyard.errors import TrainyardError
from trainyard.packing import packed_file

_AT_ONCE, _EACH = 10, 10
_LATE = (
    "A rank's agent looks at its log forty times a second and puts what is new at once, though no more than ten times a second; a page's "
    "stream looks for it ten times a second while lines come, because S3 tells nobody of a new object. A line is late by parts of both "
    "pauses, a put, a listing and a read."
)
_LAST = (
    "Helm applies KubeRay's definitions first: 5 s until the first pod is asked for. The containers of seven pods start within 3 s more, "
    "PostgreSQL takes 4 s for an empty database, and what needs it then has 5 s of work on two cores: MLflow makes its tables (2 s), the "
    "controller makes its own, and all of them are imported. The parts that wait import beside PostgreSQL's start already."
)
#: As `torchrun` would start them, which needs a PyTorch with libuv; the image's has none.
_RENDEZVOUS = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", "WORLD_SIZE": "2", "USE_LIBUV": "0", "OMP_NUM_THREADS": "1"}
_TWO_RANKS = 'RANK=1 LOCAL_RANK=1 python "$@" & RANK=0 LOCAL_RANK=0 python "$@" && wait $!'
_EPOCHS = 6


def head_pod_loss(yard: ClusterYard, pairs: int) -> Figure:
    """Seconds from the deletion of a job's head to its next new step, against the same job's own cold start."""
    return _head_loss(yard, pairs, "The head's pod lost", lambda job_id: yard.lose("pods", job_id, "ray.io/node-type=head"))


def head_loss(yard: ClusterYard, pairs: int) -> Figure:
    """The same from the end of its head's control process."""
    return _head_loss(yard, pairs, "The head's control process killed", yard.kill_gcs)


def _head_loss(yard: ClusterYard, pairs: int, title: str, fault: Callable[[str], None]) -> Figure:
    losses: list[float] = []
    starts: list[float] = []
    for number in range(pairs):
        begun = time.monotonic()
        job_id = yard.submit("steps.py", 120, 0.1, 10)
        yard.await_step(job_id, 1)
        starts.append(time.monotonic() - begun)
        yard.await_step(job_id, 25)
        losses.append(yard.recovery(job_id, lambda job_id=job_id: fault(job_id)))  # type: ignore[misc]
        yard.assert_whole(job_id, 120, attempts=2)
        print(f"{title}: {number + 1}/{pairs}: {losses[-1]:.2f} after a start of {starts[-1]:.2f}", file=sys.stderr, flush=True)
    return Figure(f"{title}, until the next new step", "s", "the same job's own cold start, from its submission", losses, starts, goal=1.3)


def submissions(yard: ClusterYard, pairs: int) -> list[Figure | Goal]:
    """Milliseconds of a submission, ten at the same time, against creating the very RayJob by hand; no operator acts on either."""
    manifest, _ = IdenticalRayJob(yard).rendered("image-classification")
    manifest["spec"]["suspend"] = True
    namespace = yard.platform.team_namespace
    worst: list[float] = []

    def concurrently(ask: Callable[[], None]) -> float:
        def timed(_: int) -> float:
            begun = time.perf_counter()
            ask()
            return (time.perf_counter() - begun) * 1000

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            readings = list(pool.map(timed, range(_AT_ONCE * _EACH)))
        worst.append(max(readings))
        return statistics.median(readings)

    def ours() -> float:
        def submit() -> None:
            yard.client.submit("image-classification", parameters={**SHORT["image-classification"], **yard.size})

        found = concurrently(submit)
        own.append(worst[-1])
        waiting = list(yard.client.list_jobs(states=["QUEUED", "STARTING", "RUNNING"]))
        for job in waiting:
            yard.client.cancel_job(job.id)
        for job in waiting:
            yard.ended(job.id)
        return found

    def theirs() -> float:
        def create() -> None:
            named = {**manifest, "metadata": {**manifest["metadata"], "name": f"peer-{secrets.token_hex(6)}"}}
            objects.create_namespaced_custom_object("ray.io", "v1", namespace, "rayjobs", named)

        found = concurrently(create)
        yard.in_team("delete", "rayjobs", "--all", "--timeout=240s")
        return found

    own: list[float] = []
    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(str(yard.platform.kubeconfig), client_configuration=configuration)
    configuration.connection_pool_maxsize = _AT_ONCE
    with yard.away(yard.operator), kubernetes.client.ApiClient(configuration) as connection:
        objects = kubernetes.client.CustomObjectsApi(connection)
        title = f"A submission, {_AT_ONCE} at the same time: median"
        first, second = alternate(title, pairs, ours, theirs)
    slowest = Goal(f"A submission, {_AT_ONCE} at the same time: slowest of {_AT_ONCE * _EACH}", "ms", own, most=1000)
    return [Figure(title, "ms", "creating the RayJob that the platform renders, by hand", first, second, goal=1.3), slowest]


def log_line(yard: ClusterYard, pairs: int) -> list[Figure | Goal]:
    """Milliseconds from a line's print in a worker to its being on the page, against what `kubectl logs -f` shows of a pod."""
    program = WORKLOADS / "dated_lines.py"
    image = ":".join(push_images("trainer-cpu")["trainer-cpu"])
    with packed_file(program) as packed:
        code = yard.client.upload_code(packed.path)
    yard.kubectl("create", "configmap", "dated-lines", f"--from-file={program}")
    token = yard.platform.secret(f"{yard.platform.release}-auth")["token"]
    title = "Log line, from its print in a worker to the page: p95"
    with portal.chromium() as browser:

        def ours() -> float:
            parameters = {"entry": program.name, "arguments": [str(portal.LINES)], "workers": 1, **yard.size}
            job = yard.client.submit("script", parameters, code=code.id)
            ages = portal.ages_on_the_page(browser, yard.url, token, job.id)
            yard.ended(job.id)
            yard.assert_gone(job.id)
            return 1000 * p95(ages)

        def theirs() -> float:
            container = {
                "name": "main",
                "image": image,
                "command": ["python", f"/program/{program.name}", str(portal.LINES)],
                "volumeMounts": [{"name": "program", "mountPath": "/program"}],
            }
            spec = {
                "containers": [container],
                "volumes": [{"name": "program", "configMap": {"name": "dated-lines"}}],
                "restartPolicy": "Never",
            }
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "peer"}, "spec": spec}
            yard.kubectl("create", "--filename=-", input=json.dumps(pod))
            try:
                yard.kubectl("wait", "pod/peer", "--for=condition=Ready", "--timeout=120s")
                with yard.platform.lines("logs", "--follow", "pod/peer") as lines:
                    return 1000 * p95(portal.ages_of_lines(lines))
            finally:
                yard.kubectl("delete", "pod", "peer", "--force", "--grace-period=0")

        first, second = alternate(title, pairs, ours, theirs)
    later = [one - other for one, other in zip(first, second, strict=True)]
    return [Goal(f"{title}, later than in `kubectl logs -f` of a pod that prints the same", "ms", later, most=50, note=_LATE)]


def training_rate(yard: ClusterYard, pairs: int) -> Figure:
    """Samples per second of a training of two ranks, against the same two in a plain Kubernetes Job."""
    program = WORKLOADS / "ddp_throughput.py"
    arguments = ["--epochs", str(_EPOCHS)]
    image = ":".join(push_images("trainer-cpu")["trainer-cpu"])
    with packed_file(program) as packed:
        code = yard.client.upload_code(packed.path)
    yard.kubectl("create", "configmap", "ddp", f"--from-file={program}")

    def ours() -> float:
        job = yard.client.submit("script", {"entry": program.name, "arguments": arguments, "workers": 2, **yard.size}, code=code.id)
        done = yard.ended(job.id)
        assert done.state == "SUCCEEDED", done.reason
        yard.assert_gone(job.id)
        return printed_figures(b"".join(yard.client.download_log(job.id, rank="0")).decode())["samples_per_second"]

    def theirs() -> float:
        container = {
            "name": "main",
            "image": image,
            "command": ["bash", "-c", _TWO_RANKS, "ranks", f"/program/{program.name}", *arguments],
            "env": [{"name": name, "value": value} for name, value in _RENDEZVOUS.items()],
            "volumeMounts": [{"name": "program", "mountPath": "/program"}],
            "resources": {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"memory": "2Gi"}},
        }
        spec = {"containers": [container], "volumes": [{"name": "program", "configMap": {"name": "ddp"}}], "restartPolicy": "Never"}
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "peer"},
            "spec": {"backoffLimit": 0, "template": {"spec": spec}},
        }
        yard.kubectl("create", "--filename=-", input=json.dumps(job))
        try:
            yard.kubectl("wait", "job/peer", "--for=condition=Complete", "--timeout=300s", seconds=320)
            return printed_figures(yard.kubectl("logs", "job/peer"))["samples_per_second"]
        finally:
            yard.kubectl("delete", "job", "peer", "--timeout=120s")

    title = "Training throughput in the cluster (two ranks, convolutional network)"
    first, second = alternate(title, pairs, ours, theirs)
    return Figure(
        title, "samples/s", "the same two ranks, started by a shell in a plain Kubernetes Job, same image", first, second, 0.99, "higher"
    )


@contextlib.contextmanager
def empty_cluster() -> Iterator[Platform]:
    """The test cluster with the images that the chart needs, and no release. Raises ServerUnavailable."""
    kubeconfig = started_cluster()
    yield Platform(kubeconfig, kubectl_of(kubeconfig), pushed_tags(), namespace="install-bench")


def installation(platform: Platform, pairs: int) -> Figure:
    """Seconds from `helm install` until a submission is accepted, against MLflow's server alone until it is ready."""
    repository, tag = push_images("mlflow")["mlflow"]

    def ours() -> float:
        platform.kubectl("create", "namespace", platform.namespace)
        try:
            begun = time.monotonic()
            platform.install("--set=frontend.service.type=NodePort")
            with platform.client() as client:
                job = wait_for("an accepted submission", lambda: _accepted(client), seconds=120, every=0.1)
            seconds = time.monotonic() - begun
            with platform.client() as client:
                client.cancel_job(job)
                client.wait_for_job(job, timeout=300)
            return seconds
        finally:
            platform.remove()

    def theirs() -> float:
        platform.kubectl("create", "namespace", platform.namespace)
        try:
            begun = time.monotonic()
            platform.kubectl("--namespace", platform.namespace, "apply", "--filename=-", input=json.dumps(_mlflow(f"{repository}:{tag}")))
            platform.kubectl("--namespace", platform.namespace, "rollout", "status", "deployment/mlflow", "--timeout=300s", seconds=320)
            return time.monotonic() - begun
        finally:
            platform.kubectl("delete", "namespace", platform.namespace, "--timeout=300s", seconds=320)

    first, second = alternate("installation", pairs, ours, theirs, rehearsed=True)
    peer = "MLflow's server alone on a file, `kubectl apply` to ready, same image"
    return Figure("`helm install` until a submission is accepted", "s", peer, first, second, goal=1.2, note=_LAST)


def _accepted(client: Client) -> str | None:
    with contextlib.suppress(TrainyardError):
        return client.submit("image-classification", parameters={**SHORT["image-classification"], **ClusterYard.size}).id
    return None


def _mlflow(image: str) -> dict[str, Any]:
    labels = {"app": "mlflow"}
    container = {
        "name": "mlflow",
        "image": image,
        "command": ["mlflow", "server", "--host=0.0.0.0", "--port=5000", "--workers=1", "--backend-store-uri=sqlite:////tmp/mlflow.db"],
        "readinessProbe": {"httpGet": {"path": "/health", "port": 5000}, "periodSeconds": 1, "failureThreshold": 300},
        "resources": {"requests": {"cpu": "100m"}},
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "mlflow"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
