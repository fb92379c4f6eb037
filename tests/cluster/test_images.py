"""The images as Pod Security `restricted` runs them: the user they name, a read-only root file system, nothing else given."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.images import push_images
from tests.cluster.kubectl import Kubectl
from tests.cluster.pods import create, in_pod, serving

pytestmark = pytest.mark.cluster

Pushed = Callable[[str], str]

POSTGRES_READY = ["psql", "-h", "127.0.0.1", "-U", "platform", "-d", "platform", "-c", "SELECT 1"]
SHOW_CAPACITY = """
import httpx, time
while (answer := httpx.get("http://127.0.0.1:8000/api/v1/capacity")).status_code == 503:
    time.sleep(0.2)
print(answer.text)
"""
S3 = "import boto3, os; s3 = boto3.client('s3', endpoint_url=os.environ['MLFLOW_S3_ENDPOINT_URL']); "
LOG_A_MODEL = """
import os, torch, mlflow
mlflow.set_experiment("images")
with mlflow.start_run() as run:
    mlflow.log_param("lr", 0.1)
    mlflow.log_text("kept", "note.txt")
    model = torch.nn.Linear(4, 2).eval()
    example = torch.ones(2, 4).numpy()
    info = mlflow.pytorch.log_model(model, name="model", input_example=example, serialization_format="pt2", pip_requirements=["torch"],
                                    registered_model_name="line")
client = mlflow.MlflowClient()
assert client.get_run(run.info.run_id).data.params == {"lr": "0.1"}
assert mlflow.artifacts.load_text(f"{client.get_run(run.info.run_id).info.artifact_uri}/note.txt") == "kept"
files = {item.path for item in client.list_artifacts(run.info.run_id)} | {client.get_model_version("line", "1").status}
assert {"note.txt", "READY"} <= files, files
print("logged", client.get_run(run.info.run_id).info.artifact_uri)
"""
TRAINER = """
import os, shutil
import ray, torch, ray.train.torch, sklearn, pandas, trainyard_train.__main__, trainyard_train.driver
from torch.distributed.fsdp import fully_shard
assert torch.distributed.is_gloo_available()
assert not any(shutil.which(name) for name in ("pip", "gcc", "cc", "make")), "build tools"
assert os.getuid() == 1000
print("ray", ray.__version__, "torch", torch.__version__)
"""


@pytest.fixture(scope="module")
def pushed(kubeconfig: Path) -> Pushed:
    """``pushed(name)``: the reference of an image, built and pushed when it is not."""

    def push(name: str) -> str:
        return ":".join(push_images(name)[name])

    return push


def _pod(
    name: str,
    image: str,
    *,
    command: list[str] | None = None,
    args: list[str] | None = None,
    env: dict[str, str] | None = None,
    writable: tuple[str, ...] = ("/tmp",),
    ready: dict[str, Any] | None = None,
    files: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A pod that says nothing of its user; ``writable`` are its emptyDirs, ``files`` folders and the ConfigMaps in them."""
    volumes: list[dict[str, Any]] = [{"name": f"writable-{index}", "emptyDir": {}} for index, _ in enumerate(writable)]
    mounts = [{"name": f"writable-{index}", "mountPath": path} for index, path in enumerate(writable)]
    for path, source in (files or {}).items():
        volumes.append({"name": source, "configMap": {"name": source}})
        mounts.append({"name": source, "mountPath": path})
    container: dict[str, Any] = {
        "name": "main",
        "image": image,
        "env": [{"name": key, "value": value} for key, value in (env or {}).items()],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True},
        "volumeMounts": mounts,
        "resources": {"requests": {"cpu": "100m"}},
        **({"command": command} if command else {}),
        **({"args": args} if args else {}),
    }
    if ready:
        container["readinessProbe"] = {"periodSeconds": 1, "timeoutSeconds": 5, **ready}
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "fsGroup": 2000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": volumes,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def _http(port: int, path: str) -> dict[str, Any]:
    return {"httpGet": {"port": port, "path": path}}


def _start(kubectl: Kubectl, namespace: str, pod: dict[str, Any], seconds: int = 300) -> str:
    """Create the pod and wait until it is ready; its address."""
    create(kubectl, namespace, pod)
    name = pod["metadata"]["name"]
    kubectl("wait", "-n", namespace, f"pod/{name}", "--for=condition=Ready", f"--timeout={seconds}s", seconds=seconds + 10)
    return kubectl("get", "pod", "-n", namespace, name, "-o=jsonpath={.status.podIP}")


def _finish(kubectl: Kubectl, namespace: str, pod: dict[str, Any], seconds: int = 240) -> str:
    """Create the pod and wait until it has succeeded; what it printed."""
    create(kubectl, namespace, pod)
    name = pod["metadata"]["name"]
    try:
        kubectl(
            "wait",
            "-n",
            namespace,
            f"pod/{name}",
            "--for=jsonpath={.status.phase}=Succeeded",
            f"--timeout={seconds}s",
            seconds=seconds + 10,
        )
    except AssertionError as error:
        raise AssertionError(f"{error}\n{kubectl('logs', '-n', namespace, name)}") from None
    return kubectl("logs", "-n", namespace, name)


def _postgres(name: str, image: str, *, claim: str | None = None, init: str | None = None, **changes: str) -> dict[str, Any]:
    """A pod of PostgreSQL; ``init`` is the ConfigMap with its init files, ``changes`` are variables."""
    data = "/var/lib/postgresql/data"
    pod = _pod(
        name,
        image,
        env={"POSTGRES_USER": "platform", "PGPASSWORD": "pass word", "PGDATA": f"{data}/pgdata", **changes},
        writable=(data, "/var/run/postgresql", "/tmp"),
        ready={"exec": {"command": POSTGRES_READY}},
        files={"/docker-entrypoint-initdb.d": init} if init else {},
    )
    if claim:
        pod["spec"]["volumes"][0] = {"name": "writable-0", "persistentVolumeClaim": {"claimName": claim}}
    return pod


def _config_map(name: str, files: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": files}


def _start_postgres(kubectl: Kubectl, namespace: str, image: str) -> str:
    """PostgreSQL with two init files, of which the second needs the first; its address."""
    files = {
        "10-role.sh": "psql -v ON_ERROR_STOP=1 <<< \"CREATE ROLE second LOGIN PASSWORD 'other'\"\n",
        "20-database.sql": "CREATE DATABASE second OWNER second;\n",
    }
    create(kubectl, namespace, _config_map("init", files))
    return _start(kubectl, namespace, _postgres("postgres", image, init="init", POSTGRES_PASSWORD="pass word"))


def test_trainer_has_ray_pytorch_and_the_trainer_in_a_login_shell(kubectl: Kubectl, namespace: str, pushed: Pushed) -> None:
    command = ["/bin/bash", "-lc", "--", 'ray --version && wget --version | head -1 && python -c "$PROGRAM"']
    printed = _finish(kubectl, namespace, _pod("trainer", pushed("trainer-cpu"), command=command, env={"PROGRAM": TRAINER}))
    assert "ray 2.60.0 torch 2.6.0" in printed


def test_api_and_controller_serve_from_sqlite(kubectl: Kubectl, namespace: str, pushed: Pushed, toolbox: str) -> None:
    image, settings = pushed("api"), {"TRAINYARD_ENGINE": "memory"}
    pod = _pod("api", image, env=settings, ready=_http(8000, "/healthz"))
    controller = _pod("controller", image, env=settings, command=["python", "-m", "trainyard_api.controller"])["spec"]["containers"][0]
    pod["spec"]["containers"].append({**controller, "name": "controller"})
    address = _start(kubectl, namespace, pod)
    serving(kubectl, namespace, toolbox, "client")
    document = json.loads(in_pod(kubectl, namespace, "client", "get", f"http://{address}:8000/openapi.json"))
    assert "/api/v1/jobs" in document["paths"]
    # The controller's first round writes what the cluster can hold, and the API reads it.
    answer = kubectl("exec", "-n", namespace, "api", "-c", "main", "--", "python", "-c", SHOW_CAPACITY, seconds=180)
    assert json.loads(answer)["engine"] == "memory"


def test_mlflow_keeps_a_run_in_postgres_and_its_files_in_minio(kubectl: Kubectl, namespace: str, pushed: Pushed) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "platform", "AWS_SECRET_ACCESS_KEY": "platform-secret"}
    minio = _pod(
        "minio",
        pushed("minio"),
        env={"MINIO_ROOT_USER": keys["AWS_ACCESS_KEY_ID"], "MINIO_ROOT_PASSWORD": keys["AWS_SECRET_ACCESS_KEY"]},
        writable=("/data", "/tmp"),
        ready=_http(9000, "/minio/health/ready"),
    )
    s3 = {**keys, "MLFLOW_S3_ENDPOINT_URL": f"http://{_start(kubectl, namespace, minio)}:9000", "AWS_DEFAULT_REGION": "us-east-1"}
    database = _start_postgres(kubectl, namespace, pushed("postgres"))
    api = pushed("api")
    bucket = S3 + "s3.create_bucket(Bucket='mlflow')"
    _finish(kubectl, namespace, _pod("bucket", api, command=["python", "-c", bucket], env=s3))
    server = _pod(
        "mlflow",
        pushed("mlflow"),
        env={
            **s3,
            "MLFLOW_BACKEND_STORE_URI": f"postgresql+psycopg2://platform:pass%20word@{database}/platform",
            "MLFLOW_ARTIFACTS_DESTINATION": "s3://mlflow/artifacts",
            "MLFLOW_SERVER_ALLOWED_HOSTS": "*",
        },
        ready=_http(5000, "/health"),
    )
    url = f"http://{_start(kubectl, namespace, server)}:5000"
    environment = {"MLFLOW_TRACKING_URI": url, "HOME": "/tmp"}
    trainer = _pod("trainer", pushed("trainer-cpu"), command=["python", "-c", LOG_A_MODEL], env=environment)
    assert "logged mlflow-artifacts:" in _finish(kubectl, namespace, trainer, seconds=480)
    listing = S3 + "print([each['Key'] for each in s3.list_objects_v2(Bucket='mlflow')['Contents']])"
    assert "note.txt" in _finish(kubectl, namespace, _pod("listing", api, command=["python", "-c", listing], env=s3))
    runs = [*POSTGRES_READY[:-1], "SELECT key, value FROM params"]
    assert "lr" in kubectl("exec", "-n", namespace, "postgres", "--", *runs)


def test_postgres_makes_what_it_is_told_and_asks_for_the_password(kubectl: Kubectl, namespace: str, pushed: Pushed) -> None:
    address = _start_postgres(kubectl, namespace, pushed("postgres"))

    def ask(user: str, password: str) -> str:
        environment = (
            "env",
            f"PGPASSWORD={password}",
            "psql",
            "-h",
            address,
            "-U",
            user,
            "-d",
            user,
            "-tAc",
            "SELECT current_user, version()",
        )
        return kubectl("exec", "-n", namespace, "postgres", "--", *environment)

    assert ask("platform", "pass word").startswith("platform|PostgreSQL 17")
    assert ask("second", "other").startswith("second|")
    with pytest.raises(AssertionError, match="password authentication failed"):
        ask("second", "wrong")


def test_postgres_begins_anew_after_a_first_start_that_failed_and_keeps_its_data(kubectl: Kubectl, namespace: str, pushed: Pushed) -> None:
    image, size = pushed("postgres"), {"requests": {"storage": "100Mi"}}
    claim = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": size}, "metadata": {"name": "data"}}
    create(kubectl, namespace, {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **claim})
    create(kubectl, namespace, _config_map("bad", {"10.sql": "CREATE TABLE half (); SELECT nonsense;"}))
    create(kubectl, namespace, _config_map("good", {"10.sql": "CREATE TABLE whole (); INSERT INTO whole DEFAULT VALUES;"}))
    create(kubectl, namespace, _postgres("first", image, claim="data", init="bad", POSTGRES_PASSWORD="pass word"))
    kubectl("wait", "-n", namespace, "pod/first", "--for=jsonpath={.status.phase}=Failed", "--timeout=240s", seconds=250)
    assert 'column "nonsense" does not exist' in kubectl("logs", "-n", namespace, "first")
    _start(kubectl, namespace, _postgres("second", image, claim="data", init="good", POSTGRES_PASSWORD="pass word"))
    kubectl("delete", "pod", "-n", namespace, "first", "second")
    _start(kubectl, namespace, _postgres("third", image, claim="data"))
    count = (*POSTGRES_READY[:-1], "SELECT count(*) || ' of ' || (SELECT count(*) FROM pg_tables WHERE tablename = 'half') FROM whole")
    assert "1 of 0" in kubectl("exec", "-n", namespace, "third", "--", *count)


def test_postgres_without_a_password_says_what_is_missing(kubectl: Kubectl, namespace: str, pushed: Pushed) -> None:
    create(kubectl, namespace, _postgres("postgres", pushed("postgres")))
    kubectl("wait", "-n", namespace, "pod/postgres", "--for=jsonpath={.status.phase}=Failed", "--timeout=240s", seconds=250)
    assert "error: POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE) is not set" in kubectl("logs", "-n", namespace, "postgres")


def test_frontend_serves_the_portal_on_every_path(kubectl: Kubectl, namespace: str, pushed: Pushed, toolbox: str) -> None:
    address = _start(kubectl, namespace, _pod("frontend", pushed("frontend"), ready=_http(8080, "/healthz")))
    serving(kubectl, namespace, toolbox, "client")

    def get(path: str) -> str:
        return in_pod(kubectl, namespace, "client", "get", f"http://{address}:8080{path}")

    assert '<div id="root"' in get("/")
    assert get("/jobs/some-id") == get("/")
    assert json.loads(get("/config.json")) == {"auth": "token"}
    assert "404 Not Found" in get("/assets/missing.js")
