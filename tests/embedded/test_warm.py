"""Warm pools on a real platform: the next job starts where processes wait for it, and what waits leaves when room is needed.

tests/cluster/release/test_warm.py runs these very tests against a platform in a cluster.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.embedded.conftest import CommandLine, client_of, site_of, up_arguments
from tests.support.site import Site
from tests.support.waiting import wait_for

from trainyard.embedded.config import PlatformConfig
from trainyard.models import Job

pytestmark = pytest.mark.platform

_PROGRAM = """
import os, sys
print("torch was there", "torch" in sys.modules, "job", os.environ["TRAINYARD_JOB_ID"], flush=True)
import mlflow
mlflow.log_metric("figure", 3.5)
"""
_KILLED = """
import os, signal
print("machine", os.uname().nodename, flush=True)
if os.environ["TRAINYARD_ATTEMPT"] == "1":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A platform of its own, with one worker that waits."""
    command = CommandLine(tmp_path_factory.mktemp("warm"))
    started = command(*up_arguments(), "--warm", "1")
    assert started.code == 0, started.err
    config = PlatformConfig.load(command.state_dir)
    assert config is not None
    with client_of(config) as client:
        yield site_of(command, config, client)
    assert command("down").code == 0


def await_warm(site: Site) -> None:
    wait_for("a warm cluster", lambda: [one.ready for one in site.client.capacity().warm_clusters] == [True], seconds=240, every=0.2)


def submit(site: Site, tmp_path: Any, **parameters: Any) -> Job:
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    options = [part for key, value in parameters.items() for part in ("-p", f"{key}={value}")]
    submitted = site.trainyard("submit", str(program), *site.size_options, *options, "--json")
    assert submitted.code == 0, submitted.err
    return site.client.get_job(submitted.json["id"])


def admission(site: Site, job_id: str) -> dict[str, Any]:
    [found] = [event.detail for event in site.client.job_events(job_id) if event.name == "admitted"]
    return dict(found)


def test_a_job_starts_where_processes_wait_for_it(site: Site, tmp_path: Any) -> None:
    await_warm(site)
    capacity = site.trainyard("capacity")
    assert "waits for a job of default" in capacity.out
    job = submit(site, tmp_path)
    done = site.client.wait_for_job(job.id, timeout=300)
    assert (done.state, done.attempt) == ("SUCCEEDED", 1), done.reason
    assert admission(site, job.id) == {"workers": 1, "warm": True}
    assert site.client.read_log(job.id, rank="0").content.splitlines()[0] == f"torch was there True job {job.id}"
    assert done.mlflow_run_id is not None
    run = site.mlflow_run(done.mlflow_run_id)
    assert run["info"]["status"] == "FINISHED"
    assert [(one["key"], one["value"]) for one in run["data"]["metrics"] if one["key"] == "figure"] == [("figure", 3.5)]


def test_a_job_that_needs_the_room_gets_it(site: Site, tmp_path: Any) -> None:
    await_warm(site)
    capacity = site.client.capacity()
    [warm] = capacity.warm_clusters
    # More than is left beside what waits, and a little less than there is without it: pods take some for Ray itself.
    wanted = capacity.cpus_free - 0.75 * warm.cpus_per_worker
    job = submit(site, tmp_path, workers=2, cpus_per_worker=wanted / 2)
    done = site.client.wait_for_job(job.id, timeout=400)
    assert done.state == "SUCCEEDED", done.reason
    assert admission(site, job.id) == {"workers": 2}
    await_warm(site)


def test_a_rank_that_is_killed_there_goes_on_there(site: Site, tmp_path: Any) -> None:
    await_warm(site)
    program = tmp_path / "program.py"
    program.write_text(_KILLED)
    job_id = site.trainyard("submit", str(program), *site.size_options, "--json").json["id"]
    done = site.client.wait_for_job(job_id, timeout=300)
    assert (done.state, done.attempt) == ("SUCCEEDED", 2), done.reason
    first, second = site.client.read_log(job_id, rank="0", attempt=1).content, site.client.read_log(job_id, rank="0", attempt=2).content
    assert first.splitlines()[0] == second.splitlines()[0], "on the same machine"
