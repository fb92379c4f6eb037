"""The chart beside a PostgreSQL, an S3 service and an MLflow that it does not bring, behind an Ingress and an HTTPRoute."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.request import HTTPRedirectHandler, Request

import pytest
from tests.cluster.kubectl import Kubectl
from tests.cluster.release.platform import Platform, pushed_tags
from tests.support.waiting import wait_for

from workbench.go_tools import KUBERAY_OPERATOR, module_folder

pytestmark = pytest.mark.cluster

HOST = "trainyard.example.com"
PUBLIC_MLFLOW = "https://mlflow.example.com"
#: Another release of the chart, of which only the services are installed: to the platform they are somebody else's.
SERVICES_ONLY: dict[str, Any] = {
    "api": {"enabled": False},
    "frontend": {"enabled": False},
    "kuberay-operator": {"enabled": False},
    "tests": {"enabled": False},
    "global": {"networkPolicy": {"enabled": False}},
}
#: What a worker takes, so that a job of two fits beside the platform on two cores.
SMALL = {"cpus_per_worker": 0.25, "memory_gb_per_worker": 1}


def written(folder: Path, values: dict[str, Any]) -> str:
    """The path of a values file."""
    file = folder / "values.yaml"
    file.write_text(json.dumps(values))
    return str(file)


@pytest.fixture(scope="module")
def services(kubeconfig: Path, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """PostgreSQL, MinIO and MLflow in a namespace of their own."""
    made = Platform(kubeconfig, kubectl, pushed_tags(), release="outside", namespace="outside-test")
    kubectl("create", "namespace", made.namespace)
    try:
        made.install("--values", written(tmp_path_factory.mktemp("outside"), SERVICES_ONLY))
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def gateway_api(kubectl: Kubectl) -> Iterator[None]:
    """The kind HTTPRoute, which the cluster does not have by itself; nothing acts on it."""
    folder = module_folder(KUBERAY_OPERATOR, "sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"
    definition = str(folder / "gateway.networking.k8s.io_httproutes.yaml")
    kubectl("apply", "--server-side", "--filename", definition)
    try:
        # `kubectl wait` fails on what has no conditions yet.
        state = ("get", "--filename", definition, "--output", 'jsonpath={.status.conditions[?(@.type=="Established")].status}')
        wait_for("the kind HTTPRoute", lambda: kubectl(*state) == "True", seconds=60, every=0.2)
        yield
    finally:
        kubectl("delete", "--filename", definition)


@pytest.fixture(scope="module")
def platform(services: Platform, gateway_api: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A release that uses those services, as docs/install.md describes it."""
    kubectl = services.kubectl
    made = Platform(services.kubeconfig, kubectl, services.images, namespace="external-test")
    team = made.team_namespace
    database, keys = services.secret("outside-postgres"), services.secret("outside-minio")
    for namespace in (made.namespace, team):
        kubectl("create", "namespace", namespace)
        literals = [f"--from-literal={name}={keys[name]}" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
        kubectl("create", "secret", "generic", "external-s3", "--namespace", namespace, *literals)
    passwords = [f"--from-literal={name}={database[name]}" for name in ("platform-password", "mlflow-password")]
    kubectl("create", "secret", "generic", "external-database", "--namespace", made.namespace, *passwords)
    kubectl("label", "namespace", team, "pod-security.kubernetes.io/enforce=restricted")
    where = f"{services.namespace}.svc"
    values = {
        "postgres": {"enabled": False},
        "minio": {"enabled": False},
        "mlflow": {"enabled": False},
        "frontend": {
            "ingress": {"enabled": True, "hosts": [HOST], "tls": [{"hosts": [HOST], "secretName": "trainyard-tls"}]},
            "httpRoute": {"enabled": True, "hostnames": [HOST], "parentRefs": [{"name": "edge", "namespace": "gateways"}]},
        },
        "global": {
            "publicUrl": f"https://{HOST}",
            "database": {"host": f"outside-postgres.{where}", "existingSecret": "external-database"},
            "objectStore": {"endpoint": f"http://outside-minio.{where}:9000", "existingSecret": "external-s3"},
            "mlflow": {"url": f"http://outside-mlflow.{where}:5000/mlflow", "publicUrl": PUBLIC_MLFLOW},
            "teams": {"default": {"namespace": {"create": False}}},
        },
        "tests": {"enabled": False},
    }
    try:
        made.install("--values", written(tmp_path_factory.mktemp("external"), values))
        yield made
    finally:
        made.remove()
        kubectl("delete", "namespace", team, "--timeout=180s", seconds=200)


def test_nothing_is_installed_that_was_there_already(platform: Platform) -> None:
    assert platform.names("statefulsets,persistentvolumeclaims", platform.namespace) == set()
    deployments = platform.names("deployments", platform.namespace)
    parts = ("api", "controller", "frontend", "kuberay-operator")
    assert {name.rpartition("/")[2] for name in deployments} == {f"trainyard-{part}" for part in parts[:3]} | {"kuberay-operator"}


def test_the_api_server_takes_the_ingress_and_the_route(platform: Platform) -> None:
    def spec(kind: str) -> dict[str, Any]:
        found = platform.kubectl("get", kind, "trainyard-frontend", "--namespace", platform.namespace, "--output", "json")
        content: dict[str, Any] = json.loads(found)["spec"]
        return content

    assert [rule["host"] for rule in spec("ingress")["rules"]] == [HOST]
    route = spec("httproutes.gateway.networking.k8s.io")
    assert route["hostnames"] == [HOST]
    assert route["rules"][0]["backendRefs"][0]["name"] == "trainyard-frontend"


def test_a_job_is_kept_by_the_services_outside(platform: Platform, services: Platform) -> None:
    with platform.client() as client:
        job = client.submit("image-classification", {"workers": 2, "epochs": 4, "width": 16, **SMALL}, name="digits")
        job = client.wait_for_job(job.id, timeout=600)
        attempts = client.job_attempts(job.id)
        assert job.state == "SUCCEEDED", (job.reason, attempts)
        assert job.model is not None
        [version] = [one for one in client.list_models() if one.job_id == job.id]
    assert version.name == job.model.name

    def asked(database: str, query: str) -> str:
        return services.execute("outside-postgres-0", "psql", "--username=postgres", database, "-Atc", query).strip()

    assert asked("trainyard", f"SELECT state FROM jobs WHERE id = '{job.id}'") == "SUCCEEDED"
    assert asked("mlflow", f"SELECT status FROM runs WHERE run_uuid = '{job.mlflow_run_id}'") == "FINISHED"
    listing = (
        "import boto3, sys; found = boto3.client('s3').list_objects_v2(Bucket='trainyard', Prefix=sys.argv[1]); print(found['Contents'])"
    )
    assert "result.json" in platform.execute("deployment/trainyard-api", "python", "-c", listing, f"platform/jobs/{job.id}/")
    assert "MLmodel" in platform.execute("deployment/trainyard-api", "python", "-c", listing, "mlflow/")


def test_links_lead_to_the_mlflow_that_browsers_reach(platform: Platform) -> None:
    class Stay(HTTPRedirectHandler):
        def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Message, newurl: str) -> None:
            """Where it leads is not reachable from here."""

    with platform.entrance() as url, pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.build_opener(Stay).open(f"{url}/mlflow")
    assert (answer.value.code, answer.value.headers["Location"]) == (302, PUBLIC_MLFLOW)
    with platform.client() as client:
        [job] = client.list_jobs(query="digits")
    assert job.mlflow_url is not None
    assert job.mlflow_url.startswith(PUBLIC_MLFLOW)
