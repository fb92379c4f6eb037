"""A NetworkPolicy blocks what it says, and nothing else."""

import pytest
from tests.cluster.kubectl import Kubectl
from tests.cluster.pods import create, in_pod, serving
from tests.support.waiting import wait_for

pytestmark = pytest.mark.cluster


def test_a_policy_blocks_until_it_allows_or_is_deleted(kubectl: Kubectl, namespace: str, toolbox: str) -> None:
    for name in ("server", "friend", "stranger"):
        serving(kubectl, namespace, toolbox, name)
    address = kubectl("get", "pod", "-n", namespace, "server", "-o=jsonpath={.status.podIP}")

    def reaches(name: str) -> bool:
        try:
            return in_pod(kubectl, namespace, name, "get", f"http://{address}:8080") == "I am server"
        except AssertionError:
            return False

    assert reaches("friend")
    assert reaches("stranger")
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "friends-only"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "server"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}]}],
        },
    }
    create(kubectl, namespace, policy)
    wait_for("the stranger to be refused", lambda: not reaches("stranger"), seconds=180, every=0.5)
    assert reaches("friend"), "the policy must not block whom it names"
    assert not reaches("stranger")
    kubectl("delete", "networkpolicy", "-n", namespace, "friends-only")
    wait_for("the stranger to be let in again", lambda: reaches("stranger"), seconds=180, every=0.5)


def test_a_pod_that_may_only_ask_for_names_can_do_that_and_no_more(kubectl: Kubectl, namespace: str, toolbox: str) -> None:
    for name in ("server", "locked-in"):
        serving(kubectl, namespace, toolbox, name)
    address = kubectl("get", "pod", "-n", namespace, "server", "-o=jsonpath={.status.podIP}")
    dns = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "names-only"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "locked-in"}},
            "policyTypes": ["Egress"],
            "egress": [{"to": [dns], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}],
        },
    }

    def asks(*arguments: str) -> str:
        try:
            return in_pod(kubectl, namespace, "locked-in", *arguments)
        except AssertionError:
            return ""

    assert asks("get", f"http://{address}:8080") == "I am server"
    create(kubectl, namespace, policy)
    wait_for("the pod to be locked in", lambda: not asks("get", f"http://{address}:8080"), seconds=180, every=0.5)
    assert asks("lookup", "kubernetes.default.svc.cluster.local") == "10.96.0.1"
