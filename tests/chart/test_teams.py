"""What each team gets: namespace, account, quota or queue, network policy; what the controller may do there; what the API is told."""

import json
from typing import Any

import pytest
from pytest_helm import HelmTemplateError

from tests.chart.rendering import KUEUE, Rendered, render
from trainyard_api.teams import Teams
from workbench.paths import ROOT

WARM = {"workers": 2, "cpusPerWorker": 0.5, "gpusPerWorker": 1, "idleMinutes": None}
TWO_TEAMS: dict[str, Any] = {
    "global": {
        "teams": {
            "default": {"enabled": False},
            "vision": {
                "allowedImages": ["registry.example.com/vision/*"],
                "quota": {"cpu": 8, "memory": "32Gi", "gpu": 2},
                "borrowing": {"gpu": 1},
                "weight": 3,
                "priority": "high",
            },
            "nlp": {"namespace": {"name": "language", "create": False}, "allowedTemplates": ["script"], "maxJobs": 4, "warm": [WARM]},
        }
    }
}
NAMESPACES = ["language", "platform-vision"]


@pytest.fixture(scope="module")
def queued() -> Rendered:
    """Two teams beside Kueue; one of them has a quota."""
    return render(TWO_TEAMS, api_versions=[KUEUE])


@pytest.fixture(scope="module")
def plain() -> Rendered:
    """The same where there is no Kueue."""
    return render(TWO_TEAMS)


def teams_file(rendered: Rendered) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(rendered.index.get("configmap/trainyard-teams").data["teams.json"])
    return told


def test_the_api_accepts_its_teams_file(queued: Rendered, plain: Rendered, default: Rendered) -> None:
    for rendered in (queued, plain, default):
        Teams.model_validate({"items": teams_file(rendered)})


def test_the_api_is_told_of_every_team(queued: Rendered) -> None:
    assert teams_file(queued) == [
        {
            "name": "nlp",
            "namespace": "language",
            "queue": None,
            "priorityClass": None,
            "serviceAccount": "trainyard-job",
            "allowedTemplates": ["script"],
            "allowedImages": None,
            "maxJobs": 4,
            "warm": [WARM],
        },
        {
            "name": "vision",
            "namespace": "platform-vision",
            "queue": "trainyard-vision",
            "priorityClass": "trainyard-high",
            "serviceAccount": "trainyard-job",
            "allowedTemplates": None,
            "allowedImages": ["registry.example.com/vision/*"],
            "maxJobs": None,
            "warm": [],
        },
    ]


@pytest.mark.parametrize("pattern", ["vision/*", "registry.example.com", "registry.example.com/a b", "", "registry.example.com/[ab]"])
def test_a_pattern_of_images_names_its_registry(pattern: str) -> None:
    with pytest.raises(HelmTemplateError, match="allowedImages"):
        render({"global": {"teams": {"vision": {"allowedImages": [pattern]}}}})


def test_without_kueue_no_team_has_a_queue(plain: Rendered) -> None:
    assert [team["queue"] for team in teams_file(plain)] == [None, None]
    assert not plain.of("ClusterQueue", "LocalQueue", "ResourceFlavor", "WorkloadPriorityClass")


def test_beside_kueue_nothing_of_it_is_made_while_no_team_has_a_quota() -> None:
    assert not render(api_versions=[KUEUE]).of("ClusterQueue", "LocalQueue", "ResourceFlavor", "WorkloadPriorityClass")


def test_namespaces_hold_to_pod_security_and_only_wanted_ones_are_made(queued: Rendered) -> None:
    [namespace] = queued.of("Namespace")
    assert namespace["metadata"]["name"] == "platform-vision"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_jobs_run_as_an_account_without_a_token(queued: Rendered) -> None:
    for namespace in NAMESPACES:
        assert queued.inside(namespace, "ServiceAccount", "trainyard-job")["automountServiceAccountToken"] is False


def test_every_teams_jobs_find_the_object_stores_keys(queued: Rendered) -> None:
    own = queued.inside("platform", "Secret", "trainyard-minio")
    assert all(queued.inside(namespace, "Secret", "trainyard-minio")["data"] == own["data"] for namespace in NAMESPACES)
    assert queued.index.get("configmap/trainyard-settings").data.TRAINYARD_JOB_SECRET == "trainyard-minio"


RAYJOBS = ("ray.io", "rayjobs", "create delete get list patch watch")
PODS = ("", "pods", "get list watch")
WORKLOADS = ("kueue.x-k8s.io", "workloads", "get list watch")


def rights(rendered: Rendered, account: str) -> dict[str, set[tuple[str, str, str]]]:
    """What a service account of the release may do: namespace ("*": everywhere) to (API group, resource, verbs)."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    for binding in rendered.of("RoleBinding", "ClusterRoleBinding"):
        if {"kind": "ServiceAccount", "name": account, "namespace": "platform"} not in binding["subjects"]:
            continue
        namespace = binding["metadata"].get("namespace", "*")
        [role] = [
            item
            for item in rendered.of(binding["roleRef"]["kind"])
            if (item["metadata"].get("namespace", "*"), item["metadata"]["name"]) == (namespace, binding["roleRef"]["name"])
        ]
        for rule in role["rules"]:
            names = ":".join(["", *rule.get("resourceNames", [])])
            entries = {
                (group, resource + names, " ".join(sorted(rule["verbs"]))) for group in rule["apiGroups"] for resource in rule["resources"]
            }
            found.setdefault(namespace, set()).update(entries)
    return found


def test_what_the_controller_may_do_is_this_table_and_nothing_else(queued: Rendered) -> None:
    assert rights(queued, "trainyard-controller") == {
        "language": {RAYJOBS, PODS},
        "platform-vision": {RAYJOBS, PODS, WORKLOADS},
        "*": {("", "nodes", "list watch"), ("", "pods", "list watch")},
    }


def test_the_controller_can_do_without_rights_in_the_whole_cluster() -> None:
    rendered = render({"api": {"rbac": {"clusterScope": False}}})
    assert "*" not in rights(rendered, "trainyard-controller")


def test_what_the_clean_up_may_do(queued: Rendered) -> None:
    jobs = {("ray.io", "rayjobs", "delete list")}
    assert rights(queued, "trainyard-cleanup") == {
        "platform": {
            ("apps", "deployments:trainyard-controller", "delete"),
            ("", "pods:trainyard-test-endpoints:trainyard-test-training", "delete"),
        },
        "language": jobs,
        "platform-vision": jobs,
    }


def test_the_api_itself_has_no_account_of_its_own(queued: Rendered) -> None:
    api = queued.pods["Deployment/trainyard-api"]
    assert "serviceAccountName" not in api
    assert api["automountServiceAccountToken"] is False


def test_a_quota_is_a_cluster_queue(queued: Rendered) -> None:
    [queue] = queued.of("ClusterQueue")
    assert queue["spec"]["cohortName"] == "trainyard"
    assert queue["spec"]["fairSharing"] == {"weight": "3"}
    assert queue["spec"]["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "platform-vision"}}
    assert queue["spec"]["resourceGroups"] == [
        {
            "coveredResources": ["cpu", "memory", "nvidia.com/gpu"],
            "flavors": [
                {
                    "name": "trainyard",
                    "resources": [
                        {"name": "cpu", "nominalQuota": "8"},
                        {"name": "memory", "nominalQuota": "32Gi"},
                        {"name": "nvidia.com/gpu", "nominalQuota": "2", "borrowingLimit": "1"},
                    ],
                }
            ],
        }
    ]
    assert queued.inside("platform-vision", "LocalQueue", "trainyard-vision")["spec"] == {"clusterQueue": "trainyard-vision"}
    assert not queued.of("ResourceQuota")


def test_priorities_are_classes(queued: Rendered) -> None:
    assert {item["metadata"]["name"]: item["value"] for item in queued.of("WorkloadPriorityClass")} == {
        "trainyard-high": 1000,
        "trainyard-normal": 100,
        "trainyard-low": 10,
    }


def test_without_kueue_a_quota_is_a_resource_quota(plain: Rendered) -> None:
    [quota] = plain.of("ResourceQuota")
    assert quota["metadata"]["namespace"] == "platform-vision"
    assert quota["spec"]["hard"] == {"requests.cpu": "8", "requests.memory": "32Gi", "requests.nvidia.com/gpu": "2"}


@pytest.mark.parametrize(("enabled", "api_versions", "queues"), [(True, [], 1), (False, [KUEUE], 0), ("auto", [KUEUE], 1), ("auto", [], 0)])
def test_kueue_can_be_forced_or_left_out(enabled: bool | str, api_versions: list[str], queues: int) -> None:
    values = {"global": {**TWO_TEAMS["global"], "kueue": {"enabled": enabled}}}
    assert len(render(values, api_versions=api_versions).of("ClusterQueue")) == queues


def test_only_the_team_itself_and_the_operator_reach_its_pods(queued: Rendered) -> None:
    policy = queued.inside("language", "NetworkPolicy", "trainyard-jobs")["spec"]
    assert policy["podSelector"] == {}
    assert policy["ingress"] == [
        {
            "from": [
                {"podSelector": {}},
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "platform"}},
                    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "kuberay-operator"}},
                },
            ]
        }
    ]


def test_jobs_never_reach_the_nodes_credentials(queued: Rendered) -> None:
    [rule] = queued.inside("language", "NetworkPolicy", "trainyard-jobs")["spec"]["egress"]
    blocks = [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]
    assert {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]} in blocks


def test_team_files_add_to_each_other() -> None:
    rendered = render(files=[ROOT / "values" / "team-vision.yaml", ROOT / "values" / "team-nlp.yaml"])
    assert [team["name"] for team in teams_file(rendered)] == ["default", "nlp", "vision"]
