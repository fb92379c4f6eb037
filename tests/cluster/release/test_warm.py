"""The tests of the embedded platform's warm pools, unchanged, against a platform in the cluster."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cluster.kubectl import Kubectl
from tests.cluster.release.platform import Platform, pushed_tags
from tests.cluster.release.test_parity import release_site
from tests.embedded.test_warm import *  # noqa: F403 - the tests, on this file's site
from tests.support.site import Site
from tests.support.waiting import wait_for

pytestmark = pytest.mark.cluster

#: Large enough that a job may want some of its room and leave some for Ray's own processes.
SIZE = {"cpus_per_worker": 0.5, "memory_gb_per_worker": 1}
_POOL = {"workers": 1, "cpusPerWorker": SIZE["cpus_per_worker"], "memoryGbPerWorker": SIZE["memory_gb_per_worker"], "idleMinutes": None}


@pytest.fixture(scope="module")
def platform(kubeconfig: Path, kubectl: Kubectl) -> Iterator[Platform]:
    """A release whose default team has one Ray cluster that waits."""
    made = Platform(kubeconfig, kubectl, pushed_tags(), namespace="warm-test")
    kubectl("create", "namespace", made.namespace)
    try:
        made.install(f"--set-json=global.teams.default.warm={json.dumps([_POOL])}")
        yield made
    finally:
        made.remove()


@pytest.fixture
def site(platform: Platform, tmp_path: Path) -> Iterator[Site]:
    """The release, through its entrance."""
    with release_site(platform, tmp_path) as site:
        yield replace(site, size=SIZE)


def test_one_whose_head_is_lost_is_replaced(site: Site, platform: Platform) -> None:
    await_warm(site)  # noqa: F405
    before = platform.names("rayjobs", platform.team_namespace)
    assert len(before) == 1, "nothing else is left of the jobs before"
    platform.kubectl("delete", "pods", "--namespace", platform.team_namespace, "--all", "--wait=false")
    wait_for("another one", lambda: set(platform.names("rayjobs", platform.team_namespace)) - set(before), seconds=120, every=0.5)
    await_warm(site)  # noqa: F405
