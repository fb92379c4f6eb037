"""Two teams with a quota each, many jobs at once, with Kueue and without: quotas hold at every moment, and every job ends."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client, config, watch
from tests.cluster.kubectl import Kubectl
from tests.cluster.release.platform import Platform, pushed_tags

pytestmark = [pytest.mark.cluster, pytest.mark.long]

JOBS_OF_EACH_TEAM = 10
TEAMS = ("red", "blue")
#: One job of two workers takes 0.4 cores and 3 GiB; one fits into a team's quota, two do not.
JOB = {"workers": 2, "cpus_per_worker": 0.1, "memory_gb_per_worker": 0.5, "epochs": 1, "width": 4, "model_name": "sharing"}
QUOTA_CPU = 0.6
VALUES = {
    "global": {
        "teams": {
            "default": {"enabled": False},
            **{
                name: {"quota": {"cpu": f"{QUOTA_CPU * 1000:.0f}m", "memory": "5Gi"}, "borrowing": {"cpu": 0, "memory": 0}}
                for name in TEAMS
            },
        }
    },
    "tests": {"enabled": False},
}


@pytest.fixture(scope="module", params=["without Kueue", "with Kueue"])
def platform(
    request: pytest.FixtureRequest, kubeconfig: Path, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """A release with two teams."""
    made = Platform(kubeconfig, kubectl, pushed_tags(), namespace="sharing-test")
    values = tmp_path_factory.mktemp("values") / "values.yaml"
    values.write_text(json.dumps(VALUES))
    if request.param == "with Kueue":
        made.install_kueue()
    kubectl("create", "namespace", made.namespace)
    try:
        made.install("--values", str(values))
        yield made
    finally:
        made.remove()
        if request.param == "with Kueue":
            made.remove_kueue()


class Peaks:
    """The most cores that the pods of a namespace asked for at any moment, from a watch.

    Pods that are being deleted do not count: Kueue gives a job's quota to the next one when the job has ended, not when its pods have.
    """

    def __init__(self, kubeconfig: Path, namespaces: list[str]) -> None:
        self.of = dict.fromkeys(namespaces, 0.0)
        self._core = client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._follow, args=(namespace,), daemon=True) for namespace in namespaces]
        for thread in self._threads:
            thread.start()

    def _follow(self, namespace: str) -> None:
        asked: dict[str, float] = {}
        while not self._stop.is_set():
            for event in watch.Watch().stream(self._core.list_namespaced_pod, namespace, timeout_seconds=5):
                pod = event["object"]
                ended = pod.metadata.deletion_timestamp or pod.status.phase in ("Succeeded", "Failed")
                gone = event["type"] == "DELETED" or ended
                asked[pod.metadata.uid] = 0.0 if gone else sum(_cores(item.resources.requests["cpu"]) for item in pod.spec.containers)
                self.of[namespace] = max(self.of[namespace], sum(asked.values()))

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()
        for thread in self._threads:
            thread.join(10)


def _cores(quantity: str) -> float:
    return float(quantity.removesuffix("m")) / 1000 if quantity.endswith("m") else float(quantity)


def test_many_jobs_of_two_teams_respect_both_quotas_and_all_end(platform: Platform) -> None:
    namespaces = [f"{platform.namespace}-{team}" for team in TEAMS]
    peaks = Peaks(platform.kubeconfig, namespaces)
    with platform.client() as client:
        jobs = [client.submit("image-classification", JOB, team=team).id for _ in range(JOBS_OF_EACH_TEAM) for team in TEAMS]
        deadline = time.monotonic() + 1800
        states = {job: client.wait_for_job(job, timeout=deadline - time.monotonic()).state for job in jobs}
    peaks.stop()
    assert set(states.values()) == {"SUCCEEDED"}, states
    assert all(0 < peak <= QUOTA_CPU + 1e-9 for peak in peaks.of.values()), peaks.of
