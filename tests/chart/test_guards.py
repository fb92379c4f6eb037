"""Combinations that cannot work stop Helm with a sentence that says what to change: one test for each."""

from typing import Any

import pytest
from pytest_helm import HelmTemplateError

from tests.chart.rendering import CHART, KUEUE, render

GUARDS: dict[str, tuple[dict[str, Any], str]] = {
    "two databases": (
        {"global": {"database": {"host": "db", "existingSecret": "s"}}},
        "postgres.enabled and global.database.host are both set",
    ),
    "no database": ({"postgres": {"enabled": False}}, "there is no database"),
    "database without passwords": (
        {"postgres": {"enabled": False}, "global": {"database": {"host": "db"}}},
        "global.database.host needs global.database.existingSecret",
    ),
    "one database for both": ({"global": {"database": {"mlflow": {"name": "trainyard"}}}}, "must differ: MLflow's tables"),
    "one role for both": ({"global": {"database": {"mlflow": {"user": "trainyard"}}}}, "must differ for the bundled PostgreSQL"),
    "two object stores": (
        {"global": {"objectStore": {"endpoint": "https://s3.example.com", "existingSecret": "s"}}},
        "minio.enabled and global.objectStore.endpoint are both set",
    ),
    "no object store": ({"minio": {"enabled": False}}, "there is no object store"),
    "object store without keys": (
        {"minio": {"enabled": False}, "global": {"objectStore": {"endpoint": "https://s3.example.com"}}},
        "global.objectStore.endpoint needs global.objectStore.existingSecret",
    ),
    "two MLflows": ({"global": {"mlflow": {"url": "http://mlflow"}}}, "mlflow.enabled and global.mlflow.url are both set"),
    "no MLflow": ({"mlflow": {"enabled": False}}, "there is no MLflow"),
    "portal without API": ({"api": {"enabled": False}}, "frontend.enabled needs api.enabled"),
    "ingress without hosts": ({"frontend": {"ingress": {"enabled": True}}}, "needs frontend.ingress.hosts"),
    "route without gateway": ({"frontend": {"httpRoute": {"enabled": True}}}, "needs frontend.httpRoute.parentRefs"),
    "scaling upside down": ({"api": {"autoscaling": {"enabled": True, "minReplicas": 9, "maxReplicas": 3}}}, "minReplicas is above"),
    "controller without account": (
        {"api": {"controller": {"serviceAccount": {"create": False}}}},
        "needs api.controller.serviceAccount.name",
    ),
    "claim without persistence": (
        {"postgres": {"persistence": {"enabled": False, "existingClaim": "mine"}}},
        "postgres.persistence.existingClaim needs postgres.persistence.enabled",
    ),
    "no team": ({"global": {"teams": {"default": {"enabled": False}}}}, "global.teams has no enabled team"),
    "team beside the databases": ({"global": {"teams": {"a": {"namespace": {"name": "platform"}}}}}, "is the release's own namespace"),
    "two teams in one namespace": (
        {"global": {"teams": {"a": {"namespace": {"name": "x"}}, "b": {"namespace": {"name": "x"}}}}},
        "have the same namespace x",
    ),
    "unknown priority": (
        {"global": {"teams": {"a": {"priority": "urgent"}}}},
        r"which is none of global.kueue.priorities \(high, low, normal\)",
    ),
    "quota that Kueue cannot use": ({"global": {"teams": {"a": {"quota": {"cpu": 4}}}}}, "global.teams.a.quota needs cpu and memory"),
    "borrowing without quota": ({"global": {"teams": {"a": {"borrowing": {"cpu": 4}}}}}, "global.teams.a.borrowing needs a quota"),
}


@pytest.mark.parametrize("case", GUARDS)
def test_guard(case: str) -> None:
    values, sentence = GUARDS[case]
    with pytest.raises(HelmTemplateError, match=sentence):
        render(values, api_versions=[KUEUE])


def test_release_name_that_would_be_cut() -> None:
    with pytest.raises(HelmTemplateError, match="is longer than 40 characters"):
        render(release="a" * 41)


def test_every_guard_has_a_test() -> None:
    assert (CHART / "templates" / "_guards.tpl").read_text().count("fail ") == len(GUARDS) + 1
