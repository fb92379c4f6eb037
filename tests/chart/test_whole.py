"""What holds for everything that the charts make, whatever the values."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chart.rendering import KUEUE, Rendered, kinds_in, render, sources
from workbench.paths import ROOT

EVERYTHING: dict[str, Any] = {
    "global": {"teams": {"vision": {"quota": {"cpu": 8, "memory": "32Gi"}}}},
    "api": {"autoscaling": {"enabled": True}, "podDisruptionBudget": {"enabled": True}, "serviceMonitor": {"enabled": True}, "workers": 2},
    "frontend": {
        "podDisruptionBudget": {"enabled": True},
        "ingress": {"enabled": True, "hosts": ["trainyard.example.com"]},
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}], "hostnames": ["trainyard.example.com"]},
    },
}
OURS = {"trainyard"}


@pytest.fixture(scope="module", params=["default", "everything", "with Kueue"])
def rendered(request: pytest.FixtureRequest, default: Rendered) -> Rendered:
    """The chart as it comes, with everything that is off by default, and beside Kueue."""
    if request.param == "default":
        return default
    return render(EVERYTHING, api_versions=[KUEUE] if request.param == "with Kueue" else [])


def containers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from spec.get("initContainers", [])
    yield from spec["containers"]


def test_every_pod_fits_pod_security_restricted(rendered: Rendered) -> None:
    for name, spec in rendered.pods.items():
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"} or "kuberay" in name, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        assert all(volume.keys() & {"emptyDir", "configMap", "secret", "persistentVolumeClaim"} for volume in spec.get("volumes", [])), name
        for container in containers(spec):
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert security["readOnlyRootFilesystem"] is True, name


def test_every_container_asks_for_memory_and_cpu_and_has_a_memory_limit(rendered: Rendered) -> None:
    for name, spec in rendered.pods.items():
        for container in containers(spec):
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name
            assert "memory" in container["resources"]["limits"], name


def test_no_pod_gets_a_token_for_kubernetes_but_those_that_use_it(rendered: Rendered) -> None:
    with_token = {name for name, spec in rendered.pods.items() if spec.get("automountServiceAccountToken") is not False}
    assert with_token == {"Deployment/trainyard-controller", "Job/trainyard-cleanup", "Deployment/kuberay-operator"}


def test_no_pod_gets_variables_of_services(rendered: Rendered) -> None:
    """Kubernetes would set TRAINYARD_API_PORT and the like, which are names of settings."""
    assert all(spec["enableServiceLinks"] is False for name, spec in rendered.pods.items() if "kuberay" not in name)


def test_every_image_comes_from_the_registry_with_a_fixed_tag(rendered: Rendered) -> None:
    for name, spec in rendered.pods.items():
        for container in containers(spec):
            assert re.fullmatch(r"localhost:5001/trainyard/[a-z-]+:0\.1\.0", container["image"]), name


def test_objects_of_ours_have_the_recommended_labels(rendered: Rendered) -> None:
    for item in rendered.objects:
        labels = item["metadata"].get("labels", {})
        if labels.get("app.kubernetes.io/name") == "kuberay-operator" or "kuberay" in item["metadata"]["name"]:
            continue
        assert labels["app.kubernetes.io/name"] == "trainyard", item["metadata"]
        assert labels["app.kubernetes.io/instance"] == "trainyard"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["app.kubernetes.io/component"]
        assert labels["helm.sh/chart"].endswith("-0.1.0")


def test_selectors_never_hold_what_changes_with_a_version(rendered: Rendered) -> None:
    for item in rendered.of("Deployment", "StatefulSet"):
        if "kuberay" not in item["metadata"]["name"]:
            assert item["spec"]["selector"]["matchLabels"].keys() == {
                f"app.kubernetes.io/{part}" for part in ("name", "instance", "component")
            }


def test_no_secret_is_in_a_config_map_or_an_argument(rendered: Rendered) -> None:
    for item in rendered.of("ConfigMap"):
        assert "PASSWORD" not in item.get("data", {}), item["metadata"]["name"]
        assert not re.search(r"://[^/\s:]+:[^/\s@]+@", str(item.get("data", {}))), item["metadata"]["name"]
    for name, spec in rendered.pods.items():
        for container in containers(spec):
            for variable in container.get("env", []):
                if re.search("PASSWORD|SECRET|TOKEN|ACCESS_KEY", variable["name"]):
                    assert "secretKeyRef" in variable["valueFrom"], f"{name}: {variable['name']}"


def test_a_pod_rolls_when_its_settings_change(rendered: Rendered) -> None:
    before = rendered.index.get("deployment/trainyard-api").spec.template.metadata.annotations
    after = (
        render({"global": {"publicUrl": "https://elsewhere.example.com"}})
        .index.get("deployment/trainyard-api")
        .spec.template.metadata.annotations
    )
    assert before["checksum/settings"] != after["checksum/settings"]


def test_every_template_file_holds_one_kind() -> None:
    for path, text in sources().items():
        assert len(kinds_in(text)) <= 1, path


def test_template_files_are_short() -> None:
    assert not [path for path, text in sources().items() if len(text.splitlines()) > 160]


def test_names_follow_the_release() -> None:
    rendered = render(release="second")
    ours = [item for item in rendered.objects if "kuberay" not in item["metadata"]["name"] and item["kind"] != "Namespace"]
    assert all("second" in item["metadata"]["name"] for item in ours)


def test_labels_of_the_user_are_on_every_object_of_ours() -> None:
    rendered = render({"global": {"commonLabels": {"example.com/owner": "ml"}}})
    for item in rendered.objects:
        if item["metadata"].get("labels", {}).get("app.kubernetes.io/name") in OURS:
            assert item["metadata"]["labels"]["example.com/owner"] == "ml"


def test_extra_objects_are_rendered_as_templates() -> None:
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-extra"}, "data": {"a": "b"}}
    assert render({"extraObjects": [extra]}).index.get("configmap/trainyard-extra").data.a == "b"


def test_the_chart_takes_the_operator_as_upstream_publishes_it() -> None:
    image = {"repository": "quay.io/kuberay/operator", "tag": "v1.6.2"}
    operator = render({"kuberay-operator": {"image": image}}).pods["Deployment/kuberay-operator"]
    assert operator["containers"][0]["image"] == "quay.io/kuberay/operator:v1.6.2"


def test_versions_of_all_charts_are_one() -> None:
    versions = {
        line for path in (ROOT / "charts").glob("*/Chart.yaml") for line in path.read_text().splitlines() if line.startswith("version:")
    }
    assert versions == {"version: 0.1.0"}
