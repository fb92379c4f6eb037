"""The kuberay-operator chart, published or assembled, and the filling of our charts' dependencies."""

import dataclasses
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from workbench.charts.kuberay import assemble, put_kuberay
from workbench.charts.kueue import kueue_chart
from workbench.charts.sources import KUBERAY_CHART, KUEUE_CHART, UpstreamChart
from workbench.charts.vendor import vendor
from workbench.errors import WorkbenchError
from workbench.go_tools import HELM, build, module_folder

Objects = dict[str, dict[str, Any]]
Render = Callable[..., Objects]


@pytest.fixture(scope="session")
def helm() -> Path:
    """The pinned Helm."""
    if shutil.which("go") is None:
        pytest.skip("Go is not installed: Helm is built with it, and charts are assembled from Go modules")
    return build(HELM)["helm"]


@pytest.fixture(scope="session")
def operator(helm: Path) -> Path:
    """The operator's own sources, which the chart must agree with."""
    return module_folder(KUBERAY_CHART.tool, KUBERAY_CHART.module)


@pytest.fixture(scope="session")
def chart(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The assembled chart."""
    folder = tmp_path_factory.mktemp("chart") / "kuberay-operator"
    assemble(folder)
    return folder


def template(helm: Path, chart: Path, values: dict[str, Any]) -> str:
    """What Helm renders. Raises CalledProcessError with what Helm said."""
    command = [helm, "template", "test", chart, "--namespace", "rays", "--values", "-"]
    return subprocess.run(command, input=json.dumps(values), check=True, capture_output=True, text=True).stdout


@pytest.fixture
def render(helm: Path, chart: Path) -> Render:
    """``render(**values)``: the objects by ``Kind/namespace/name``."""

    def run(**values: Any) -> Objects:
        documents = [document for document in yaml.safe_load_all(template(helm, chart, values)) if document]
        keys = [f"{each['kind']}/{each['metadata'].get('namespace', '')}/{each['metadata']['name']}" for each in documents]
        assert len(keys) == len(set(keys))
        return dict(zip(keys, documents, strict=True))

    return run


@pytest.fixture
def refuse(helm: Path, chart: Path) -> Callable[..., str]:
    """``refuse(**values)``: what Helm says when it refuses the values."""

    def run(**values: Any) -> str:
        with pytest.raises(subprocess.CalledProcessError) as refusal:
            template(helm, chart, values)
        said: str = refusal.value.stderr
        return said

    return run


def container(objects: Objects) -> dict[str, Any]:
    found: dict[str, Any] = objects["Deployment/rays/kuberay-operator"]["spec"]["template"]["spec"]["containers"][0]
    return found


def rules(path: Path) -> Any:
    return yaml.safe_load(path.read_text())["rules"]


def test_lint(helm: Path, chart: Path) -> None:
    done = subprocess.run([helm, "lint", "--strict", chart], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_name_and_version_are_those_of_the_published_chart(chart: Path, operator: Path) -> None:
    metadata = yaml.safe_load((chart / "Chart.yaml").read_text())
    assert (metadata["name"], f"v{metadata['version']}") == ("kuberay-operator", operator.name.rsplit("@", 1)[1])
    assert metadata["appVersion"] == f"v{metadata['version']}"


def test_custom_resources_are_the_operators(chart: Path, operator: Path) -> None:
    published = {path.name: path.read_bytes() for path in (operator / "config/crd/bases").iterdir()}
    assert {path.name: path.read_bytes() for path in (chart / "crds").iterdir()} == published
    assert {"ray.io_rayjobs.yaml", "ray.io_rayclusters.yaml"} < set(published)


def test_objects(render: Render) -> None:
    assert sorted(render()) == [
        "ClusterRole//kuberay-operator",
        "ClusterRoleBinding//kuberay-operator",
        "Deployment/rays/kuberay-operator",
        "Role/rays/kuberay-operator-leader-election",
        "RoleBinding/rays/kuberay-operator-leader-election",
        "Service/rays/kuberay-operator",
        "ServiceAccount/rays/kuberay-operator",
    ]


def test_permissions_are_what_the_operator_publishes(render: Render, operator: Path) -> None:
    objects = render()
    assert objects["ClusterRole//kuberay-operator"]["rules"] == rules(operator / "config/rbac/role.yaml")
    leading = objects["Role/rays/kuberay-operator-leader-election"]["rules"]
    assert leading == rules(operator / "config/rbac/leader_election_role.yaml")
    binding = objects["ClusterRoleBinding//kuberay-operator"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "kuberay-operator", "namespace": "rays"}]
    assert objects["Deployment/rays/kuberay-operator"]["spec"]["template"]["spec"]["serviceAccountName"] == "kuberay-operator"


def test_deployment_is_what_the_operator_publishes(render: Render, operator: Path) -> None:
    published = yaml.safe_load((operator / "config/manager/manager.yaml").read_text())["spec"]["template"]["spec"]["containers"][0]
    ours = container(render())
    assert ours["command"] == published["command"]
    assert {port["containerPort"] for port in ours["ports"]} == {port["containerPort"] for port in published["ports"]}
    assert ours["livenessProbe"] == published["livenessProbe"]
    assert ours["readinessProbe"] == published["readinessProbe"]
    assert ours["securityContext"] == {**published["securityContext"], "runAsNonRoot": True}
    assert ours["image"] == f"quay.io/kuberay/operator:v{KUBERAY_CHART.version}"


def test_every_flag_is_one_of_the_operators(render: Render, operator: Path) -> None:
    known = set(re.findall(r'flag\.\w+\(\s*&\w+,\s*"([\w-]+)"', (operator / "main.go").read_text()))
    objects = render(
        watchNamespace=["vision", "nlp"],
        logging={"baseDir": "/logs", "fileName": "operator.log", "sizeLimit": "1Gi"},
        batchScheduler={"name": "volcano"},
        kubeClient={"qps": 12.5, "burst": 2_000_000},
        featureGates=[{"name": "RayClusterStatusConditions", "enabled": True}, {"name": "RayJobDeletionPolicy", "enabled": False}],
    )
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in container(objects)["args"])
    assert set(flags) <= known
    assert flags == {
        "enable-leader-election": "true",
        "enable-metrics": "true",
        "use-kubernetes-proxy": "false",
        "reconcile-concurrency": "1",
        "qps": "12.5",
        "burst": "2000000",
        "log-stdout-encoder": "json",
        "log-file-encoder": "json",
        "log-file-path": "/logs/operator.log",
        "watch-namespace": "vision,nlp",
        "batch-scheduler": "volcano",
        "feature-gates": "RayClusterStatusConditions=true,RayJobDeletionPolicy=false",
    }
    assert {
        "apiGroups": ["scheduling.volcano.sh"],
        "resources": ["podgroups"],
        "verbs": ["create", "delete", "get", "list", "update", "watch"],
    } in (objects["ClusterRole//kuberay-operator"]["rules"])


def test_feature_gates_have_the_operators_defaults(chart: Path, operator: Path) -> None:
    source = (operator / "pkg/features/features.go").read_text()
    defaults = {name: value == "true" for name, value in re.findall(r"(\w+):\s+\{Default: (true|false)", source)}
    ours = {gate["name"]: gate["enabled"] for gate in yaml.safe_load((chart / "values.yaml").read_text())["featureGates"]}
    assert ours.items() <= defaults.items()


def test_settings_file(render: Render, operator: Path) -> None:
    environment = [{"name": "RAY_LOG_LEVEL", "value": "debug"}]
    objects = render(configuration={"enabled": True, "defaultContainerEnvs": environment}, watchNamespace=["vision"])
    settings = yaml.safe_load(objects["ConfigMap/rays/kuberay-operator-config"]["data"]["config.yaml"])
    known = set(re.findall(r'`json:"(\w+),', (operator / "apis/config/v1alpha1/configuration_types.go").read_text()))
    assert set(settings) - {"apiVersion", "kind"} <= known
    assert (settings["apiVersion"], settings["kind"]) == ("config.ray.io/v1alpha1", "Configuration")
    assert (settings["defaultContainerEnvs"], settings["watchNamespace"], settings["burst"]) == (environment, "vision", 200)
    assert [argument.split("=")[0] for argument in container(objects)["args"]] == ["--config", "--feature-gates"]
    assert container(objects)["volumeMounts"] == [{"name": "config", "mountPath": "/etc/kuberay", "readOnly": True}]


def test_single_namespace(render: Render, operator: Path) -> None:
    objects = render(singleNamespaceInstall=True)
    assert not [key for key in objects if key.startswith("Cluster")]
    assert objects["Role/rays/kuberay-operator"]["rules"] == rules(operator / "config/rbac/role.yaml")
    assert "--watch-namespace=rays" in container(objects)["args"]


def test_watched_namespaces_each_get_a_role(render: Render) -> None:
    objects = render(singleNamespaceInstall=True, watchNamespace=["vision", "nlp"])
    assert not [key for key in objects if key.startswith("Cluster")]
    for namespace in ("vision", "nlp"):
        assert objects[f"Role/{namespace}/kuberay-operator"]["rules"]
        assert objects[f"RoleBinding/{namespace}/kuberay-operator"]["subjects"][0]["namespace"] == "rays"
    assert "Role/rays/kuberay-operator" not in objects


def test_no_permissions_when_somebody_else_grants_them(render: Render) -> None:
    assert not [key for key in render(rbacEnable=False) if "Role" in key]


def test_service_monitor(render: Render) -> None:
    objects = render(
        metrics={"serviceMonitor": {"enabled": True, "namespace": "monitoring", "additionalLabels": {"release": "prometheus"}}}
    )
    monitor = objects["ServiceMonitor/monitoring/kuberay-operator"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= objects["Service/rays/kuberay-operator"]["metadata"]["labels"].items()


def test_what_pods_are_given(render: Render) -> None:
    given = {
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
    }
    variables = [{"name": "ENABLE_INIT_CONTAINER_INJECTION", "value": "false"}]
    objects = render(
        **given,
        env=variables,
        resources={"requests": {"cpu": "50m"}, "limits": {"cpu": None, "memory": "256Mi"}},
        image={"repository": "localhost:5001/operator", "tag": "x", "pullPolicy": "Always"},
        podSecurityContext={"fsGroup": 1},
        fullnameOverride="",
        serviceAccount={"create": True, "name": ""},
        replicas=2,
    )
    deployment = objects["Deployment/rays/test-kuberay-operator"]
    pod = deployment["spec"]["template"]["spec"]
    assert {key: pod[key] for key in given} == given
    assert (pod["securityContext"], pod["serviceAccountName"], deployment["spec"]["replicas"]) == (
        {"fsGroup": 1},
        "test-kuberay-operator",
        2,
    )
    assert (pod["containers"][0]["image"], pod["containers"][0]["imagePullPolicy"]) == ("localhost:5001/operator:x", "Always")
    assert pod["containers"][0]["env"] == variables
    assert pod["containers"][0]["resources"] == {"requests": {"cpu": "50m"}, "limits": {"memory": "256Mi"}}
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replica": 2}, "replica"),
        ({"image": {"registry": "example.com"}}, "registry"),
        ({"reconcileConcurrency": 0}, "reconcileConcurrency"),
        ({"batchScheduler": {"name": "slurm"}}, "batchScheduler"),
        ({"replicas": 2, "leaderElectionEnabled": False}, "replicas above 1 need leaderElectionEnabled: true"),
        ({"batchScheduler": {"name": "volcano", "enabled": True}}, "batchScheduler.name or the older batchScheduler.enabled"),
    ],
)
def test_values_that_make_no_sense_are_refused(refuse: Callable[..., str], values: dict[str, Any], said: str) -> None:
    assert said in refuse(**values)


@pytest.fixture
def published(helm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UpstreamChart]:
    """A Helm repository on this machine that publishes the chart, which here has just a Chart.yaml; nothing is in the cache."""
    site, source = tmp_path / "site", tmp_path / "source" / "kuberay-operator"
    site.mkdir()
    source.mkdir(parents=True)
    (source / "Chart.yaml").write_text(
        f"apiVersion: v2\nname: kuberay-operator\nversion: {KUBERAY_CHART.version}\ndescription: as published\n"
    )
    archive = site / "chart.tgz"
    with tarfile.open(archive, "w:gz") as bundle:
        bundle.add(source, "kuberay-operator")
    entries = [{"version": "0.1.0", "urls": ["none.tgz"]}, {"version": KUBERAY_CHART.version, "urls": ["chart.tgz"]}]
    (site / "index.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "entries": {"kuberay-operator": entries}}))
    monkeypatch.setenv("TRAINYARD_CACHE", str(tmp_path / "cache"))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield dataclasses.replace(
            KUBERAY_CHART,
            repository=f"http://127.0.0.1:{server.server_port}",
            archives={KUBERAY_CHART.version: hashlib.sha256(archive.read_bytes()).hexdigest()},
        )
        server.shutdown()


def description(chart: Path) -> str:
    text: str = yaml.safe_load((chart / "Chart.yaml").read_text())["description"]
    return text


def test_published_chart_is_taken_where_it_can_be_had(published: UpstreamChart, tmp_path: Path) -> None:
    said = put_kuberay(tmp_path / "vendored", published)
    assert description(tmp_path / "vendored") == "as published"
    assert said == f"kuberay-operator {KUBERAY_CHART.version} as published in {published.repository}"


def test_published_chart_is_fetched_once(published: UpstreamChart, tmp_path: Path) -> None:
    put_kuberay(tmp_path / "first", published)
    put_kuberay(tmp_path / "second", dataclasses.replace(published, repository="http://127.0.0.1:1"))
    assert description(tmp_path / "second") == "as published"


def test_another_archive_than_the_pinned_one_is_not_used(published: UpstreamChart, tmp_path: Path) -> None:
    said = put_kuberay(tmp_path / "vendored", dataclasses.replace(published, archives=KUBERAY_CHART.archives))
    assert "assembled from" in description(tmp_path / "vendored")
    assert f"not the pinned {KUBERAY_CHART.archive_digest}" in said


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"repository": "http://127.0.0.1:1"}, "http://127.0.0.1:1/ cannot be reached"),
        ({"name": "ray-operator"}, "does not list ray-operator"),
        ({"archives": {}}, "the digest of kuberay-operator .* is not known"),
    ],
)
def test_assembled_where_it_cannot_be_had(published: UpstreamChart, tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    said = put_kuberay(tmp_path / "vendored", dataclasses.replace(published, **change))
    assert re.search(rf"assembled from {KUBERAY_CHART.module}@v{KUBERAY_CHART.version}, because .*{reason}", said)
    assert (tmp_path / "vendored" / "templates" / "deployment.yaml").exists()


def write_chart(folder: Path, version: str = "1.0.0", **dependencies: str) -> Path:
    """A chart of ours, with dependencies as ``name="version repository"``."""
    wanted = [dict(zip(("name", "version", "repository"), (name, *text.split()), strict=True)) for name, text in dependencies.items()]
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"apiVersion": "v2", "name": folder.name, "version": version, "dependencies": wanted}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(metadata))
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "templates" / "_names.tpl").write_text(
        f'{{{{- define "{folder.name}.greeting" }}}}hello from {folder.name} {version}{{{{ end }}}}'
    )
    return folder


@pytest.fixture
def umbrella(published: UpstreamChart, tmp_path: Path) -> Path:
    """Three charts of ours: an umbrella, one in it, and a library of that one."""
    library = write_chart(tmp_path / "charts" / "library")
    (library / "Chart.yaml").write_text((library / "Chart.yaml").read_text() + "type: library\n")
    api = write_chart(tmp_path / "charts" / "api", library="1.0.0 file://../library")
    (api / "templates" / "configmap.yaml").write_text(
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: api}\ndata: {greeting: {{ include "library.greeting" . | quote }}}\n'
    )
    kuberay = {"kuberay-operator": f"{published.version} {published.repository}"}
    return write_chart(tmp_path / "charts" / "umbrella", api="1.0.0 file://../api", **kuberay)


def test_vendored_umbrella_renders(helm: Path, umbrella: Path, published: UpstreamChart) -> None:
    said = vendor(umbrella, kuberay=published)
    assert said == [
        "api: library from charts/library",
        "umbrella: api from charts/api",
        f"umbrella: kuberay-operator {published.version} as published in {published.repository}",
    ]
    assert "hello from library 1.0.0" in template(helm, umbrella, {})
    listed = subprocess.run([helm, "dependency", "list", umbrella], check=True, capture_output=True, text=True).stdout
    assert re.findall(r"(\S+)\s*$", listed, re.MULTILINE)[1:] == ["unpacked", "unpacked"]


def test_vendoring_again_changes_nothing(umbrella: Path, published: UpstreamChart) -> None:
    vendor(umbrella, kuberay=published)
    before = {path: path.stat().st_mtime_ns for path in umbrella.rglob("*")}
    assert vendor(umbrella, kuberay=published) == []
    assert {path: path.stat().st_mtime_ns for path in umbrella.rglob("*")} == before
    assert len(vendor(umbrella, refresh=True, kuberay=published)) == 3


def test_a_changed_neighbour_is_brought_again(helm: Path, umbrella: Path, published: UpstreamChart) -> None:
    vendor(umbrella, kuberay=published)
    write_chart(umbrella.parent / "library").joinpath("templates/_names.tpl").write_text(
        '{{ define "library.greeting" }}good evening{{ end }}'
    )
    assert vendor(umbrella, kuberay=published) == ["api: library from charts/library", "umbrella: api from charts/api"]
    assert "good evening" in template(helm, umbrella, {})


def test_what_is_no_longer_wanted_is_removed(umbrella: Path, published: UpstreamChart) -> None:
    vendor(umbrella, kuberay=published)
    (umbrella / "charts" / "left.tgz").write_bytes(b"")
    write_chart(umbrella, api="1.0.0 file://../api")
    vendor(umbrella, kuberay=published)
    assert sorted(path.name for path in (umbrella / "charts").iterdir()) == [".api.vendored", "api"]


@pytest.mark.parametrize(
    ("name", "dependency", "said"),
    [
        ("api", "2.0.0 file://../api", "umbrella/Chart.yaml wants api 2.0.0, but that chart is 1.0.0"),
        ("missing", "1.0.0 file://../missing", "missing is no chart"),
        ("redis", "1.0.0 https://charts.example.com", "does not know how to bring"),
        ("kuberay-operator", "1.0.0 REPOSITORY", "must be of one version"),
    ],
)
def test_dependencies_that_cannot_be_met(umbrella: Path, published: UpstreamChart, name: str, dependency: str, said: str) -> None:
    write_chart(umbrella, **{name: dependency.replace("REPOSITORY", published.repository)})
    with pytest.raises(WorkbenchError, match=said):
        vendor(umbrella, kuberay=published)


def test_kueue_chart_renders_with_released_images(helm: Path) -> None:
    text = template(helm, kueue_chart(), {"enableKueueViz": True})
    images = set(re.findall(r"^\s+image: [\"']?([^\"'\n]+)", text, re.MULTILINE))
    assert {f"registry.k8s.io/kueue/{name}:v{KUEUE_CHART.version}" for name in ("kueue", "kueueviz-backend", "kueueviz-frontend")} == images
    assert "rayjobs" in text
