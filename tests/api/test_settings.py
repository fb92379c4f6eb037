"""Settings come from TRAINYARD_* variables, and say what is wrong with them."""

import pytest
from pydantic import ValidationError

from trainyard_api.settings import Settings

CLUSTER = {"TRAINYARD_ENGINE": "kubernetes", "TRAINYARD_TRAINER_IMAGE": "trainer:1", "TRAINYARD_OBJECT_STORE_URL": "s3://bucket"}


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What the chart sets."""
    for name, value in CLUSTER.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_what_the_chart_sets_is_read(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("TRAINYARD_TRAINER_IMAGE_PULL_SECRETS", "one, two")
    environ.setenv("TRAINYARD_TEAMS_FILE", "")
    environ.setenv("TRAINYARD_JOB_S3_ENDPOINT_URL", "")
    settings = Settings()
    assert settings.trainer_image_pull_secrets == ("one", "two")
    assert settings.teams_file is None
    assert (settings.trainer_image_pull_policy, settings.instance) == ("IfNotPresent", "trainyard")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("TRAINYARD_TRAINER_IMAGE", "", "needs TRAINYARD_TRAINER_IMAGE"),
        ("TRAINYARD_OBJECT_STORE_URL", "file:///data", "needs a TRAINYARD_OBJECT_STORE_URL like s3://bucket"),
        ("TRAINYARD_INSTANCE", "a b", "instance"),
        ("TRAINYARD_TRAINER_IMAGE_PULL_POLICY", "Sometimes", "trainer_image_pull_policy"),
    ],
)
def test_settings_that_cannot_work_in_a_cluster_are_refused(environ: pytest.MonkeyPatch, name: str, value: str, problem: str) -> None:
    environ.setenv(name, value)
    with pytest.raises(ValidationError, match=problem):
        Settings()
