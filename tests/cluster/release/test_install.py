"""The chart on a real cluster: installed without values, used, upgraded, rolled back, removed. The tests build on each other in order."""

import json
import re
import subprocess
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.kubectl import Kubectl
from tests.cluster.pods import in_pod, serving
from tests.cluster.release.platform import Platform, pushed_tags
from tests.support.waiting import wait_for

from trainyard import Client
from workbench.paths import ROOT

pytestmark = pytest.mark.cluster

#: Secrets that hold what the chart made up.
GENERATED = ("trainyard-auth", "trainyard-minio", "trainyard-postgres")
KEPT = {
    "persistentvolumeclaim/data-trainyard-minio-0",
    "persistentvolumeclaim/data-trainyard-postgres-0",
    "secret/trainyard-minio",
    "secret/trainyard-postgres",
}
OUR_KINDS = (
    "deployments,statefulsets,jobs,pods,services,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,pvc,resourcequotas"
)
#: What a worker takes, so that a job of two fits beside the platform on two cores.
SMALL = {"cpus_per_worker": 0.25, "memory_gb_per_worker": 1}
#: A job that is at work while the platform around it is changed.
UNDISTURBED = """
import time
import trainyard_train
for step in range(90):
    print("step", step, flush=True)
    trainyard_train.report({"seen": step}, step=step)
    time.sleep(1)
"""


@pytest.fixture(scope="module")
def platform(kubeconfig: Path, kubectl: Kubectl) -> Iterator[Platform]:
    """A release without any values but the images' tags."""
    made = Platform(kubeconfig, kubectl, pushed_tags())
    kubectl("create", "namespace", made.namespace)
    kubectl("label", "namespace", made.namespace, "pod-security.kubernetes.io/enforce=restricted")
    try:
        made.install()
        yield made
    finally:
        made.remove()


def test_everything_runs_under_pod_security_restricted(platform: Platform) -> None:
    pods = json.loads(platform.kubectl("get", "pods", "--namespace", platform.namespace, "--output", "json"))["items"]
    components = {pod["metadata"]["labels"].get("app.kubernetes.io/component") for pod in pods}
    assert {"api", "controller", "frontend", "mlflow", "postgres", "minio", "kuberay-operator"} <= components
    assert all(pod["status"]["phase"] in ("Running", "Succeeded") for pod in pods)


def test_helm_test_asks_every_endpoint_and_trains(platform: Platform) -> None:
    printed = platform.helm("test", platform.release, "--logs", "--timeout=600s")
    assert printed.count("Phase:          Succeeded") == 2
    assert "registered helm-test version 1" in printed


def test_a_job_of_two_workers_leaves_model_artifacts_and_run(platform: Platform) -> None:
    with platform.client() as client:
        job = client.submit("image-classification", {"workers": 2, "epochs": 4, "width": 16, **SMALL}, name="digits")
        job = client.wait_for_job(job.id, timeout=400)
        attempts = client.job_attempts(job.id)
    assert job.state == "SUCCEEDED", (job.reason, attempts)
    assert job.model is not None
    assert job.mlflow_run_id is not None
    rows = platform.execute(
        "trainyard-postgres-0",
        "psql",
        "--username=postgres",
        "mlflow",
        "-Atc",
        f"SELECT status FROM runs WHERE run_uuid = '{job.mlflow_run_id}'",
    )
    assert rows.strip() == "FINISHED"
    listing = (
        "import boto3; print(*(o['Key'] for o in boto3.client('s3').list_objects_v2(Bucket='trainyard', Prefix='mlflow/')['Contents']))"
    )
    assert "MLmodel" in platform.execute("deployment/trainyard-api", "python", "-c", listing)
    with platform.entrance() as url:
        password = platform.secret("trainyard-auth")["token"]
        manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        manager.add_password(None, url, "trainyard", password)
        opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
        with opener.open(f"{url}/mlflow/api/2.0/mlflow/runs/get?run_id={job.mlflow_run_id}") as answer:
            assert json.load(answer)["run"]["info"]["status"] == "FINISHED"


def test_a_script_of_the_users_from_the_command_line(platform: Platform) -> None:
    with platform.entrance() as url:
        command = [str(ROOT / ".venv/bin/trainyard"), "submit", str(ROOT / "jobs/examples/ddp.py"), "--workers", "2", "--watch"]
        command += [part for key, value in SMALL.items() for part in ("-p", f"{key}={value}")]
        token = platform.secret("trainyard-auth")["token"]
        environment = {"TRAINYARD_URL": url, "TRAINYARD_TOKEN": token, "PATH": "/usr/bin:/bin", "HOME": "/tmp"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=400, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "epoch 4 loss" in done.stdout + done.stderr


def test_an_upload_of_some_size_goes_through_the_entrance(platform: Platform, tmp_path: Path) -> None:
    """More than any default limit, and more than the entrance could keep in its own temporary folder (256 MiB)."""
    rows = b"0.5,1\n" * (2**20 // 6)
    file = tmp_path / "large.csv"
    with file.open("wb") as target:
        target.write(b"x,y\n")
        for _ in range(400):
            target.write(rows)
    with platform.client() as client:
        assert client.upload_dataset(file).size == file.stat().st_size


def test_jobs_reach_what_they_need_and_not_the_database(platform: Platform, toolbox: str) -> None:
    serving(platform.kubectl, platform.team_namespace, toolbox, "curious")
    addresses = {"mlflow": ":5000/mlflow/health", "minio": ":9000/minio/health/live", "api": ":8000/healthz", "postgres": ":5432"}
    answers = {}
    for name, address in addresses.items():
        try:
            url = f"http://trainyard-{name}.{platform.namespace}.svc{address}"
            answers[name] = in_pod(platform.kubectl, platform.team_namespace, "curious", "get", url)
        except AssertionError as refused:
            answers[name] = str(refused)
    platform.kubectl("delete", "pod", "curious", "--namespace", platform.team_namespace)
    assert (answers["mlflow"], answers["minio"]) == ("OK", "")
    assert all(re.search("refused|timeout|Timeout", answers[name]) for name in ("api", "postgres")), answers


def test_pod_security_refuses_what_no_job_may_be(platform: Platform) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root"},
        "spec": {"containers": [{"name": "a", "image": "a", "securityContext": {"privileged": True}}]},
    }
    with pytest.raises(AssertionError, match="violates PodSecurity"):
        platform.kubectl("create", "--namespace", platform.team_namespace, "--filename", "-", input=json.dumps(pod))


def test_upgrade_and_rollback_leave_a_running_job_and_the_secrets_alone(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(UNDISTURBED)
    before = {name: platform.secret(name) for name in GENERATED}
    with platform.client() as client:
        code = client.upload_code(_zipped(tmp_path / "train.py"))
        job = client.submit("script", {"entry": "train.py", **SMALL}, code=code.id, name="undisturbed")
        wait_for("the job to run", lambda: client.get_job(job.id).state == "RUNNING", seconds=300, every=0.5)
    platform.install("--set=api.threads=24", "--set=global.publicUrl=https://trainyard.example.com", "--set=mlflow.scratch.sizeLimit=3Gi")
    platform.helm("rollback", platform.release, "1", "--wait", "--timeout=600s")
    with platform.client() as client:
        done = client.wait_for_job(job.id, timeout=600)
        attempts = client.job_attempts(job.id)
    assert (done.state, len(attempts)) == ("SUCCEEDED", 1), (done.reason, attempts)
    assert {name: platform.secret(name) for name in GENERATED} == before


def test_a_running_job_outlives_everything_around_it(platform: Platform, tmp_path: Path) -> None:
    """Two APIs, two controllers; then every pod of the release is killed at once: database, object store, MLflow and operator too."""
    here = ("--namespace", platform.namespace)
    for name in ("api", "controller"):
        platform.kubectl("scale", f"deployment/trainyard-{name}", "--replicas=2", *here)
        platform.kubectl("rollout", "status", f"deployment/trainyard-{name}", "--timeout=300s", *here)
    (tmp_path / "train.py").write_text(UNDISTURBED)
    with platform.client() as client:
        code = client.upload_code(_zipped(tmp_path / "train.py"))
        job = client.submit("script", {"entry": "train.py", **SMALL}, code=code.id, name="outlives")
        wait_for("the job to run", lambda: client.get_job(job.id).state == "RUNNING", seconds=300, every=0.5)

    killed = _ready(platform)
    platform.kubectl("delete", "pods", "--all", "--force", "--grace-period=0", *here)
    wait_for("others in their place", lambda: len(_ready(platform) - killed) == len(killed), seconds=400, every=1)

    with platform.client() as client:
        done = client.wait_for_job(job.id, timeout=600)
        attempts = client.job_attempts(job.id)
        assert (done.state, len(attempts)) == ("SUCCEEDED", 1), (done.reason, attempts)
        log = b"".join(client.download_log(job.id, rank=0)).decode()
        assert [line for line in log.splitlines() if line.startswith("step ")] == [f"step {step}" for step in range(90)]
        wait_for("the metrics", lambda: _steps(client, job.id) == list(range(90)), seconds=120, every=1)


def _ready(platform: Platform) -> set[str]:
    """The uids of the release's pods that are ready."""
    pods = json.loads(platform.kubectl("get", "pods", "--namespace", platform.namespace, "--output", "json"))["items"]
    conditions = {pod["metadata"]["uid"]: pod["status"].get("conditions", []) for pod in pods}
    return {uid for uid, those in conditions.items() if any((one["type"], one["status"]) == ("Ready", "True") for one in those)}


def _steps(client: Client, job_id: str) -> list[int]:
    return [step for series in client.get_metrics(job_id, keys=["seen"]).series for step in series.steps]


def test_uninstall_leaves_what_is_documented_and_installing_again_finds_the_data(platform: Platform) -> None:
    with platform.client() as client:
        jobs = {job.id for job in client.list_jobs()}
        running = client.submit("image-classification", {"epochs": 10_000, **SMALL}, name="still running")
        wait_for("the job to run", lambda: client.get_job(running.id).state == "RUNNING", seconds=300, every=0.5)
    platform.helm("uninstall", platform.release, "--timeout=300s")
    selector = ("--selector", f"app.kubernetes.io/instance={platform.release}")

    def left() -> set[str]:
        everywhere = platform.names("clusterroles,clusterrolebindings,namespaces", None, *selector)
        return everywhere | platform.names(OUR_KINDS, platform.namespace, *selector)

    wait_for("nothing but the data to be left", lambda: left() == KEPT, seconds=300, every=1)

    platform.install()
    with platform.client() as client:
        assert jobs <= {job.id for job in client.list_jobs()}


def _zipped(file: Path) -> Path:
    archive = file.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as made:
        made.write(file, file.name)
    return archive
