"""The tests of the embedded platform's jobs, unchanged, against a platform in the cluster."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.cluster.kubectl import Kubectl
from tests.cluster.release.platform import Platform, pushed_tags
from tests.embedded.test_jobs import *  # noqa: F403 - the tests, on this file's site
from tests.support.outcome import Outcome
from tests.support.site import Site, run_command

from trainyard import Client

pytestmark = pytest.mark.cluster

#: What a worker takes, so that a job of two fits beside the platform on two cores.
SIZE = {"cpus_per_worker": 0.25, "memory_gb_per_worker": 1}
COMMAND_SECONDS = 900


@pytest.fixture(scope="module")
def platform(kubeconfig: Path, kubectl: Kubectl) -> Iterator[Platform]:
    """A release without any values but the images' tags."""
    made = Platform(kubeconfig, kubectl, pushed_tags(), namespace="parity-test")
    kubectl("create", "namespace", made.namespace)
    try:
        made.install()
        yield made
    finally:
        made.remove()


@pytest.fixture
def site(platform: Platform, tmp_path: Path) -> Iterator[Site]:
    """The release, through its entrance."""
    with release_site(platform, tmp_path) as site:
        yield site


@contextmanager
def release_site(platform: Platform, folder: Path) -> Iterator[Site]:
    """A release, through its entrance; ``folder`` is empty."""
    token = platform.secret(f"{platform.release}-auth")["token"]
    with platform.entrance() as url, Client(url, token=token) as client:

        def trainyard(*arguments: str) -> Outcome:
            variables = {"TRAINYARD_URL": url, "TRAINYARD_TOKEN": token, "TRAINYARD_STATE_DIR": str(folder / "nothing-here")}
            return run_command(arguments, variables, seconds=COMMAND_SECONDS)

        def mlflow_run(run_id: str) -> dict[str, Any]:
            address = f"{url}/mlflow/api/2.0/mlflow/runs/get"
            answer = httpx.get(address, params={"run_id": run_id}, auth=("trainyard", token), trust_env=False, timeout=90)
            run: dict[str, Any] = answer.json()["run"]
            return run

        def lose_driver(job_id: str) -> None:
            head = f"trainyard.dev/job-id={job_id},ray.io/node-type=head"
            where = ("--namespace", platform.team_namespace, "--selector", head)
            assert json.loads(platform.kubectl("get", "pods", *where, "--output", "json"))["items"]
            platform.kubectl("delete", "pods", *where, "--wait=false")

        yield Site("kubernetes", trainyard, client, mlflow_run, lose_driver, SIZE)
