"""What starts when, given what the engine has."""

from pathlib import Path

import pytest
from tests.support import leading
from tests.support.leading import Leader, Yard

from trainyard_api.controller.placement import FreeCapacity
from trainyard_api.engines.base import Capacity
from trainyard_api.engines.memory import Script
from trainyard_api.store.states import JobState

S = JobState
FOREVER = Script(seconds=None)


def states(yard: Yard, *jobs: str) -> list[JobState]:
    return [yard.job(job_id).state for job_id in jobs]


def rounds(leader: Leader) -> None:
    for _ in range(3):
        leader.round()


def test_first_come_first_served_without_overtaking(yard: Yard, leader: Leader) -> None:
    large, larger, small = yard.submit(FOREVER, workers=3), yard.submit(FOREVER, workers=4), yard.submit(FOREVER)
    rounds(leader)
    assert states(yard, large, larger, small) == [S.RUNNING, S.QUEUED, S.QUEUED]
    yard.engine.finish(f"ty-{large}-1")
    leader.until(larger, S.RUNNING)
    assert yard.job(small).state is S.QUEUED
    yard.engine.finish(f"ty-{larger}-1")
    leader.until(small, S.RUNNING)


def test_a_job_with_min_workers_takes_what_is_free_and_no_more(yard: Yard, leader: Leader) -> None:
    first, elastic = yard.submit(FOREVER, workers=1), yard.submit(FOREVER, workers=8, min_workers=2)
    leader.until(elastic, S.RUNNING)
    assert yard.attempts(elastic)[0].workers == 3
    waiting = yard.submit(FOREVER, workers=2, min_workers=1)
    rounds(leader)
    assert yard.job(waiting).state is S.QUEUED
    yard.engine.finish(f"ty-{first}-1")
    leader.until(waiting, S.RUNNING)
    assert yard.attempts(waiting)[0].workers == 1


def test_a_job_with_min_workers_waits_for_its_fewest(yard: Yard, leader: Leader) -> None:
    yard.submit(FOREVER, workers=3)
    elastic = yard.submit(FOREVER, workers=4, min_workers=2)
    rounds(leader)
    assert yard.job(elastic).state is S.QUEUED


def test_a_job_larger_than_the_engine_says_so_and_lets_others_pass(yard: Yard, leader: Leader) -> None:
    huge, small = yard.submit(workers=8), yard.submit()
    leader.until(small, S.SUCCEEDED)
    job = yard.job(huge)
    assert (job.state, job.reason) == (S.QUEUED, "asks for 8 CPUs, the engine has 4")
    yard.engine._capacity = Capacity(8, 0, 16)
    job = leader.until(huge, S.SUCCEEDED)
    assert job.reason is None


def test_the_explanation_follows_what_is_true(yard: Yard, leader: Leader) -> None:
    huge = yard.submit(FOREVER, workers=8)
    leader.round()
    assert yard.job(huge).reason
    yard.engine._capacity = Capacity(8, 0, 16)
    first = yard.submit(FOREVER, workers=1)
    yard.repository.update_job(first, created_at=yard.job(huge).created_at.replace(year=2020))
    leader.until(first, S.RUNNING)
    leader.round()
    assert (yard.job(huge).state, yard.job(huge).reason) == (S.QUEUED, "waits for 8 CPUs; 7 free now")


def test_capacity_is_published_with_what_is_free(yard: Yard, leader: Leader) -> None:
    leader.until(yard.submit(FOREVER, workers=3), S.RUNNING)
    leader.round()
    row = yard.repository.get_capacity()
    assert (row.engine, row.detail["cpus"], row.detail["cpus_free"], row.detail["memory_gb_free"]) == ("memory", 4, 1, 16)


def test_fractions_of_a_cpu_add_up(tmp_path: Path) -> None:
    with leading.yard(tmp_path, cpus=1) as yard:
        leader = yard.lead()
        jobs = [yard.submit(FOREVER, cpus=0.1) for _ in range(11)]
        rounds(leader)
        assert states(yard, *jobs) == [S.RUNNING] * 10 + [S.QUEUED]


@pytest.mark.parametrize(
    ("resources", "fits"),
    [
        ({"workers": 2, "cpus_per_worker": 2}, 2),
        ({"workers": 3, "cpus_per_worker": 2}, None),
        ({"workers": 3, "min_workers": 1, "cpus_per_worker": 2}, 2),
        ({"workers": 2, "cpus_per_worker": 1, "gpus_per_worker": 1}, None),
        ({"workers": 2, "min_workers": 1, "cpus_per_worker": 1, "gpus_per_worker": 0.5}, 2),
        ({"workers": 2, "cpus_per_worker": 1, "memory_gb_per_worker": 9}, None),
        ({"workers": 2, "min_workers": 1, "cpus_per_worker": 1, "memory_gb_per_worker": 9}, 1),
        ({"workers": 4, "cpus_per_worker": 1, "memory_gb_per_worker": None}, 4),
        ({}, 1),
    ],
)
def test_how_many_workers_fit(resources: dict[str, float], fits: int | None) -> None:
    free = FreeCapacity(cpus=4, gpus=1, memory_gb=16)
    assert free.workers_that_fit(resources) == fits
    assert (free.shortage(resources) is None) == (fits is not None)
