"""The parts as they are wired to each other, and each part's own alternative."""

import json
from typing import Any

import pytest

from tests.chart.rendering import Rendered, render

DATABASE = {
    "postgres": {"enabled": False},
    "global": {"database": {"host": "db.example.com", "sslMode": "verify-full", "existingSecret": "passwords"}},
}
STORE = {
    "minio": {"enabled": False},
    "global": {"objectStore": {"endpoint": "https://s3.example.com", "region": "eu-west-1", "bucket": "mine", "existingSecret": "keys"}},
}
MLFLOW = {
    "mlflow": {"enabled": False},
    "global": {"mlflow": {"url": "http://mlflow.tools:5000", "publicUrl": "https://mlflow.example.com"}},
}


def environment(rendered: Rendered, pod: str, container: int = 0) -> dict[str, Any]:
    """Variables of a container: plain values, `Secret/key` for those from Secrets, ConfigMaps followed."""
    found: dict[str, Any] = {}
    spec = rendered.pods[pod]["containers"][container]
    for source in spec.get("envFrom", []):
        found |= rendered.index.get(f"configmap/{source['configMapRef']['name']}").data
    for variable in spec.get("env", []):
        reference = variable.get("valueFrom", {}).get("secretKeyRef")
        found[variable["name"]] = f"{reference['name']}/{reference['key']}" if reference else variable["value"]
    return found


def kinds_of(rendered: Rendered, component: str) -> set[str]:
    return {
        item["kind"]
        for item in rendered.objects
        if item["metadata"].get("labels", {}).get("app.kubernetes.io/component") == component
        and item["metadata"].get("namespace") == "platform"
    }


@pytest.mark.parametrize("pod", ["Deployment/trainyard-api", "Deployment/trainyard-controller"])
def test_api_and_controller_know_where_everything_is(default: Rendered, pod: str) -> None:
    settings = environment(default, pod)
    assert settings["TRAINYARD_ENGINE"] == "kubernetes"
    assert (
        settings["TRAINYARD_DATABASE_URL"]
        == "postgresql+psycopg2://trainyard@trainyard-postgres.platform.svc:5432/trainyard?sslmode=prefer"
    )
    assert settings["PGPASSWORD"] == "trainyard-postgres/platform-password"
    assert settings["TRAINYARD_OBJECT_STORE_URL"] == "s3://trainyard/platform"
    assert settings["AWS_ENDPOINT_URL_S3"] == settings["TRAINYARD_JOB_S3_ENDPOINT_URL"] == "http://trainyard-minio.platform.svc:9000"
    assert settings["AWS_SECRET_ACCESS_KEY"] == "trainyard-minio/AWS_SECRET_ACCESS_KEY"
    assert settings["TRAINYARD_MLFLOW_URL"] == settings["TRAINYARD_JOB_MLFLOW_URL"] == "http://trainyard-mlflow.platform.svc:5000/mlflow"
    assert settings["TRAINYARD_TRAINER_IMAGE"] == "localhost:5001/trainyard/trainer:0.1.0-cpu"
    assert settings["TRAINYARD_TRAINER_CUDA_IMAGE"] == "localhost:5001/trainyard/trainer:0.1.0-cuda"
    assert settings["TRAINYARD_INSTANCE"] == "trainyard"
    assert settings["TRAINYARD_INFRASTRUCTURE_RETRIES"] == "3"


def test_settings_are_ones_that_the_api_knows(default: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainyard_api.settings import Settings

    given = {name: value for name, value in environment(default, "Deployment/trainyard-api").items() if name.startswith("TRAINYARD_")}
    assert {name.removeprefix("TRAINYARD_").lower() for name in given} <= Settings.model_fields.keys()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.max_upload_bytes == 2 * 1024**3
    assert settings.mlflow_browser_url == "/mlflow"


def test_the_api_is_ready_once_the_tables_are_those_of_its_version(default: Rendered) -> None:
    [container] = default.pods["Deployment/trainyard-api"]["containers"]
    assert container["startupProbe"]["httpGet"] == {"path": "/readyz?part=database", "port": "http"}
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 3600


def test_the_api_reads_its_token_from_a_file(default: Rendered) -> None:
    pod = default.pods["Deployment/trainyard-api"]
    [volume] = [volume for volume in pod["volumes"] if volume["name"] == "auth"]
    assert volume["secret"] == {"secretName": "trainyard-auth", "items": [{"key": "token", "path": "token"}]}
    assert environment(default, "Deployment/trainyard-api")["TRAINYARD_API_TOKEN_FILE"] == "/etc/trainyard/auth/token"


def test_mlflow_takes_its_passwords_from_libpq_and_answers_to_its_names(default: Rendered) -> None:
    settings = environment(default, "Deployment/trainyard-mlflow")
    assert settings["MLFLOW_BACKEND_STORE_URI"] == "postgresql+psycopg2://mlflow@trainyard-postgres.platform.svc:5432/mlflow?sslmode=prefer"
    assert settings["PGPASSWORD"] == "trainyard-postgres/mlflow-password"
    assert settings["MLFLOW_ARTIFACTS_DESTINATION"] == "s3://trainyard/mlflow"
    assert settings["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    hosts = settings["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert "trainyard-mlflow.platform.svc:*" in hosts
    assert "*" not in hosts


def test_autoscaling_leaves_the_number_of_pods_alone() -> None:
    rendered = render({"api": {"autoscaling": {"enabled": True}}})
    assert "replicas" not in rendered.index.get("deployment/trainyard-api").spec
    assert rendered.index.get("horizontalpodautoscaler/trainyard-api").spec.minReplicas == 2


def test_prometheus_shows_the_token() -> None:
    [endpoint] = render({"api": {"serviceMonitor": {"enabled": True}}}).index.get("servicemonitor/trainyard-api").spec.endpoints
    assert endpoint.authorization.credentials == {"name": "trainyard-auth", "key": "token"}


def test_several_api_processes_share_their_metrics() -> None:
    assert environment(render({"api": {"workers": 3}}), "Deployment/trainyard-api")["PROMETHEUS_MULTIPROC_DIR"] == "/run/prometheus"


@pytest.mark.parametrize("component", ["postgres", "minio"])
def test_data_lie_on_a_claim_that_outlives_the_release(default: Rendered, component: str) -> None:
    state = default.index.get(f"statefulset/trainyard-{component}")
    assert state.spec.volumeClaimTemplates[0].metadata.name == "data"
    assert default.inside("platform", "Secret", f"trainyard-{component}")["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


@pytest.mark.parametrize("component", ["postgres", "minio"])
def test_without_persistence_nothing_is_kept(component: str) -> None:
    rendered = render({component: {"persistence": {"enabled": False}}})
    assert "volumeClaimTemplates" not in rendered.index.get(f"statefulset/trainyard-{component}").spec
    assert "annotations" not in rendered.inside("platform", "Secret", f"trainyard-{component}")["metadata"]


def test_a_claim_and_a_storage_class_of_the_users() -> None:
    rendered = render({"global": {"storageClass": "fast"}, "minio": {"persistence": {"existingClaim": "mine"}}})
    assert rendered.index.get("statefulset/trainyard-postgres").spec.volumeClaimTemplates[0].spec.storageClassName == "fast"
    [data] = [volume for volume in rendered.pods["StatefulSet/trainyard-minio"]["volumes"] if volume["name"] == "data"]
    assert data["persistentVolumeClaim"] == {"claimName": "mine"}


def test_the_buckets_job_gets_a_new_name_when_it_changes(default: Rendered) -> None:
    def name(rendered: Rendered) -> str:
        [job] = [item for item in rendered.of("Job") if "-bucket-" in item["metadata"]["name"]]
        return str(job["metadata"]["name"])

    assert name(default) == name(render())
    assert name(default) != name(render({"global": {"objectStore": {"bucket": "other"}}}))


def test_an_external_database_takes_the_place_of_postgres() -> None:
    rendered = render(DATABASE)
    assert not kinds_of(rendered, "postgres")
    assert environment(rendered, "Deployment/trainyard-api")["TRAINYARD_DATABASE_URL"].endswith(
        "@db.example.com:5432/trainyard?sslmode=verify-full"
    )
    assert environment(rendered, "Deployment/trainyard-mlflow")["PGPASSWORD"] == "passwords/mlflow-password"


def test_an_external_object_store_takes_the_place_of_minio() -> None:
    rendered = render(STORE)
    assert not kinds_of(rendered, "minio") | kinds_of(rendered, "bucket")
    settings = environment(rendered, "Deployment/trainyard-api")
    assert settings["AWS_ENDPOINT_URL_S3"] == settings["TRAINYARD_JOB_S3_ENDPOINT_URL"] == "https://s3.example.com"
    assert settings["AWS_DEFAULT_REGION"] == settings["TRAINYARD_JOB_S3_REGION"] == "eu-west-1"
    assert settings["TRAINYARD_JOB_SECRET"] == "keys"
    assert environment(rendered, "Deployment/trainyard-mlflow")["AWS_ACCESS_KEY_ID"] == "keys/AWS_ACCESS_KEY_ID"
    assert not [item for item in rendered.of("Secret") if "AWS_ACCESS_KEY_ID" in item.get("data", {})]


def test_an_external_mlflow_takes_the_place_of_ours() -> None:
    rendered = render(MLFLOW)
    assert not kinds_of(rendered, "mlflow")
    settings = environment(rendered, "Deployment/trainyard-controller")
    assert settings["TRAINYARD_MLFLOW_URL"] == settings["TRAINYARD_JOB_MLFLOW_URL"] == "http://mlflow.tools:5000"
    assert settings["TRAINYARD_MLFLOW_PUBLIC_URL"] == "https://mlflow.example.com"
    assert "return 302 https://mlflow.example.com;" in rendered.index.get("configmap/trainyard-frontend").data["nginx.conf"]


def test_an_existing_operator_takes_the_place_of_ours() -> None:
    rendered = render({"kuberay-operator": {"enabled": False}, "global": {"kuberay": {"namespace": "ray-system"}}})
    assert not [item for item in rendered.objects if "kuberay" in item["metadata"]["name"]]
    policy = rendered.inside("platform-default", "NetworkPolicy", "trainyard-jobs")
    assert policy["spec"]["ingress"][0]["from"][1]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ray-system"}


def test_existing_secrets_take_the_place_of_generated_ones() -> None:
    names = {"auth": {"existingSecret": "token"}, "database": {"existingSecret": "passwords"}, "objectStore": {"existingSecret": "keys"}}
    rendered = render({"global": names})
    assert not rendered.of("Secret")
    assert environment(rendered, "StatefulSet/trainyard-postgres")["POSTGRES_PASSWORD"] == "passwords/postgres-password"
    assert environment(rendered, "StatefulSet/trainyard-minio")["MINIO_ROOT_USER"] == "keys/AWS_ACCESS_KEY_ID"
    [volume] = [volume for volume in rendered.pods["Deployment/trainyard-frontend"]["volumes"] if volume["name"] == "auth"]
    assert volume["secret"]["secretName"] == "token"


def test_the_api_can_be_installed_without_the_portal() -> None:
    rendered = render({"frontend": {"enabled": False}})
    assert not kinds_of(rendered, "frontend")
    assert not rendered.of("Pod")


def test_images_by_digest_from_another_registry() -> None:
    image = {"registry": "ghcr.example.com", "digest": "sha256:" + "0" * 64}
    rendered = render({"global": {"imageRegistry": "registry.example.com", "imagePullSecrets": ["pull"]}, "api": {"image": image}})
    assert rendered.pods["Deployment/trainyard-api"]["containers"][0]["image"] == f"ghcr.example.com/trainyard/api:0.1.0@sha256:{'0' * 64}"
    assert rendered.pods["Deployment/trainyard-mlflow"]["containers"][0]["image"] == "registry.example.com/trainyard/mlflow:0.1.0"
    assert rendered.pods["Deployment/trainyard-mlflow"]["imagePullSecrets"] == [{"name": "pull"}]
    assert environment(rendered, "Deployment/trainyard-api")["TRAINYARD_TRAINER_IMAGE_PULL_SECRETS"] == "pull"


@pytest.mark.parametrize(
    ("component", "peers"),
    [
        ("api", {"frontend", "test"}),
        ("postgres", {"api", "controller", "mlflow"}),
        ("mlflow", {"api", "controller", "frontend", "test"}),
        ("minio", {"api", "controller", "mlflow", "bucket"}),
    ],
)
def test_only_who_needs_a_part_reaches_it(default: Rendered, component: str, peers: set[str]) -> None:
    [rule] = default.inside("platform", "NetworkPolicy", f"trainyard-{component}")["spec"]["ingress"]
    own = [set(peer["podSelector"]["matchExpressions"][0]["values"]) for peer in rule["from"] if "podSelector" in peer]
    teams = [peer["namespaceSelector"]["matchExpressions"][0]["values"] for peer in rule["from"] if "namespaceSelector" in peer]
    assert own == [peers]
    assert teams == ([["platform-default"]] if component in ("mlflow", "minio") else [])


def test_network_policies_can_be_left_out() -> None:
    assert not render({"global": {"networkPolicy": {"enabled": False}}}).of("NetworkPolicy")


def test_ingress_and_route_lead_to_the_entrance() -> None:
    rendered = render(
        {
            "frontend": {
                "ingress": {
                    "enabled": True,
                    "className": "traefik",
                    "hosts": ["a.example.com"],
                    "tls": [{"secretName": "t", "hosts": ["a.example.com"]}],
                },
                "httpRoute": {"enabled": True, "parentRefs": [{"name": "public", "namespace": "gateways"}], "hostnames": ["a.example.com"]},
            }
        }
    )
    [rule] = rendered.index.get("ingress/trainyard-frontend").spec.rules
    assert rule.http.paths[0].backend.service == {"name": "trainyard-frontend", "port": {"name": "http"}}
    [route] = rendered.index.get("httproute/trainyard-frontend").spec.rules
    assert route.backendRefs == [{"name": "trainyard-frontend", "port": 80}]


def test_the_portal_is_told_that_the_api_wants_a_token(default: Rendered) -> None:
    assert json.loads(default.index.get("configmap/trainyard-frontend").data["config.json"]) == {"auth": "token", "version": "0.1.0"}
