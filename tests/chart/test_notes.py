"""What Helm prints after an installation."""

from typing import Any

import pytest

from tests.chart.rendering import CHART, helm


def notes(*sets: str, namespace: str = "platform") -> str:
    arguments = [argument for value in sets for argument in ("--set", value)]
    printed = helm("install", "trainyard", str(CHART), "--dry-run=client", "--namespace", namespace, *arguments)
    return printed.split("NOTES:\n", 1)[1]


def test_how_to_open_it_and_how_to_log_in() -> None:
    printed = notes()
    assert "kubectl --namespace platform port-forward service/trainyard-frontend 8080:80" in printed
    assert "get secret trainyard-auth" in printed
    assert "helm test trainyard --namespace platform" in printed
    assert "default: namespace platform-default, no quota" in printed


def test_the_safe_defaults_need_no_warning() -> None:
    assert "Worth knowing" not in notes()


@pytest.mark.parametrize(
    ("choice", "warning"),
    [
        (["frontend.service.type=LoadBalancer"], "without TLS"),
        (["frontend.ingress.enabled=true", "frontend.ingress.hosts={a.example.com}"], "without TLS"),
        (["frontend.mlflowAuth.enabled=false"], "read and change all of MLflow"),
        (["global.networkPolicy.enabled=false"], "every pod of the cluster may reach the database"),
        (["minio.persistence.enabled=false"], "minio keeps its data only as long as its pod lives"),
        (["postgres.enabled=false", "global.database.host=db", "global.database.existingSecret=s"], "global.database.sslMode is prefer"),
        (["minio.enabled=false", "global.objectStore.endpoint=http://s3", "global.objectStore.existingSecret=s"], "begins with http://"),
        (["api.rbac.clusterScope=false"], "without what others take"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_an_unsafe_choice_is_named(choice: list[str], warning: str) -> None:
    assert warning in notes(*choice)


def test_tls_at_the_ingress_is_safe() -> None:
    values: list[Any] = ["frontend.ingress.enabled=true", "frontend.ingress.hosts={a.example.com}", "frontend.ingress.tls[0].secretName=t"]
    printed = notes(*values)
    assert "https://a.example.com" in printed
    assert "Worth knowing" not in printed
