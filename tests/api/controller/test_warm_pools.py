"""Warm pools: which clusters wait, which job gets one, and when they go."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.leading import Leader, Yard

from trainyard_api.controller import starts, waiting_drivers, warm_pools
from trainyard_api.engines.base import EngineStatus, Phase
from trainyard_api.engines.memory import Script
from trainyard_api.objects import ObjectStoreError
from trainyard_api.store.models import WarmCluster, utcnow
from trainyard_api.store.states import JobState as S

FOREVER = Script(seconds=None)


@pytest.fixture
def warm(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> "Warm":
    monkeypatch.setattr(warm_pools, "_FIRST_BACKOFF_SECONDS", 0.01)
    return Warm(yard)


class Warm:
    """A platform whose default team has a pool of one-worker clusters."""

    def __init__(self, yard: Yard) -> None:
        self.yard = yard

    def lead(self, *, max_jobs: int | None = None, **pool: Any) -> Leader:
        """A new leader, for whom the team and its pool are like this."""
        team = {"name": "default", "maxJobs": max_jobs, "warm": [{"idleMinutes": None, **pool}]}
        self.yard.set_teams([team, {"name": "other"}])
        return self.yard.lead()

    @property
    def clusters(self) -> list[WarmCluster]:
        return self.yard.repository.warm_clusters()

    def await_ready(self, leader: Leader, count: int = 1) -> list[WarmCluster]:
        leader.until_true("warm clusters", lambda: sum(one.ready_at is not None for one in self.clusters) == count)
        return self.clusters


def test_a_job_of_the_size_gets_the_cluster_and_another_one_takes_its_place(warm: Warm) -> None:
    leader = warm.lead()
    [cluster] = warm.await_ready(leader)
    job_id = warm.yard.submit(FOREVER)
    leader.until(job_id, S.RUNNING)
    [attempt] = warm.yard.attempts(job_id)
    assert attempt.handle["submission_id"] == cluster.submission_id
    assert f"ty-{job_id}-1" not in warm.yard.engine.submitted
    [admitted] = [event for event in warm.yard.repository.list_events(job_id) if event.name == "admitted"]
    assert admitted.detail == {"workers": 1, "warm": True}
    [other] = warm.await_ready(leader)
    assert other.id != cluster.id
    warm.yard.engine.finish(cluster.submission_id)
    leader.until(job_id, S.SUCCEEDED)
    leader.until_true("the clean-up", lambda: warm.yard.attempts(job_id)[0].cleaned_at)
    assert not list(warm.yard.objects.list(f"jobs/{cluster.id}/"))
    assert cluster.submission_id not in warm.yard.engine.known


@pytest.mark.parametrize(
    "fields",
    [{"team": "other"}, {"workers": 2}, {"cpus": 0.5}, {"image": "registry.example.com/own:1"}],
    ids=lambda fields: next(iter(fields)),
)
def test_a_job_of_another_team_size_or_image_starts_on_its_own(warm: Warm, fields: dict[str, Any]) -> None:
    leader = warm.lead()
    [cluster] = warm.await_ready(leader)
    job_id = warm.yard.submit(**fields)
    leader.until(job_id, S.SUCCEEDED)
    assert f"ty-{job_id}-1" in warm.yard.engine.submitted
    assert [one.id for one in warm.clusters] == [cluster.id]


def test_an_elastic_job_gets_one_with_all_of_its_workers(warm: Warm) -> None:
    leader = warm.lead(workers=2)
    warm.await_ready(leader)
    job_id = warm.yard.submit(workers=2, min_workers=1)
    leader.until(job_id, S.SUCCEEDED)
    assert f"ty-{job_id}-1" not in warm.yard.engine.submitted


def test_what_waits_makes_room_for_a_job_and_comes_back_after_it(warm: Warm) -> None:
    leader = warm.lead(clusters=2)
    before = warm.await_ready(leader, 2)
    small = warm.yard.submit(FOREVER, team="other")
    leader.until(small, S.RUNNING)
    job_id = warm.yard.submit(FOREVER, workers=2)
    job = leader.until(job_id, S.RUNNING)
    assert job.reason is None
    assert len(warm.clusters) == 1, "one was in the way"
    for _ in range(5):
        leader.round()
    assert next(one.id for one in warm.clusters) in [one.id for one in before]
    warm.yard.engine.finish(f"ty-{job_id}-1")
    warm.await_ready(leader, 2)


def test_it_does_not_leave_for_a_job_that_would_not_fit_anyway(warm: Warm) -> None:
    leader = warm.lead()
    warm.await_ready(leader)
    running = warm.yard.submit(FOREVER, workers=2)
    leader.until(running, S.RUNNING)
    job_id = warm.yard.submit(workers=4)
    for _ in range(5):
        leader.round()
    assert warm.yard.job(job_id).reason == "waits for 4 CPUs; 1 free now"
    assert [one.dropped_at for one in warm.clusters] == [None]
    warm.yard.engine.finish(f"ty-{running}-1")
    leader.until(job_id, S.SUCCEEDED)


def test_a_pool_follows_its_teams_work(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_pools, "_ACTIVITY_SECONDS", 0)
    leader = warm.lead(idleMinutes=30)
    for _ in range(5):
        leader.round()
    assert warm.clusters == [], "nobody has submitted anything"
    running = warm.yard.submit(FOREVER)
    leader.until(running, S.RUNNING)
    warm.await_ready(leader)
    monkeypatch.setattr("trainyard_api.store.repository.Repository.last_submission", lambda *_: utcnow() - timedelta(minutes=31))
    leader.until_true("its end", lambda: not warm.clusters)
    for _ in range(5):
        leader.round()
    assert warm.yard.engine.known == [f"ty-{running}-1"], "and it does not come back for a job that has been running for long"


def test_one_that_dies_is_replaced(warm: Warm) -> None:
    leader = warm.lead()
    [cluster] = warm.await_ready(leader)
    warm.yard.engine.finish(cluster.submission_id)
    leader.until_true("its end", lambda: cluster.id not in [one.id for one in warm.clusters])
    warm.await_ready(leader)


def test_after_a_restart_of_the_engine_the_next_one_comes_at_once(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    [cluster] = warm.await_ready(warm.lead())
    warm.yard.engine.lose()
    leader = warm.lead()
    monkeypatch.setattr(warm_pools, "_FIRST_BACKOFF_SECONDS", 900)
    [other] = warm.await_ready(leader)
    assert other.id != cluster.id


def test_one_whose_driver_is_silent_is_replaced(warm: Warm) -> None:
    silent = True
    warm.yard.engine._script = lambda submission: Script(beats=submission.attempt > 0 or not silent)
    leader = warm.lead()
    [cluster] = warm.await_ready(leader)
    silent = False
    leader.until_true("its end", lambda: cluster.id not in [one.id for one in warm.clusters])
    warm.await_ready(leader)


def test_a_new_leader_finds_them(warm: Warm) -> None:
    [cluster] = warm.await_ready(warm.lead())
    leader = warm.lead()
    job_id = warm.yard.submit()
    leader.until(job_id, S.SUCCEEDED)
    assert warm.yard.attempts(job_id)[0].handle["warm_cluster"] == cluster.id


def test_a_new_leader_tells_the_driver_which_job_it_has(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = warm.lead()
    [cluster] = warm.await_ready(leader)
    job_id = warm.yard.submit()
    with monkeypatch.context() as patch:
        patch.setattr(waiting_drivers, "tell_driver", away)
        leader.until(job_id, S.STARTING)
        leader.round()
    warm.lead().until(job_id, S.SUCCEEDED)
    assert f"ty-{job_id}-1" not in warm.yard.engine.submitted
    assert cluster.id not in [one.id for one in warm.clusters]


def away(*_: object) -> None:
    raise ObjectStoreError("away")


def test_one_that_was_started_for_other_settings_is_replaced(warm: Warm) -> None:
    [cluster] = warm.await_ready(warm.lead())
    warm.yard.settings = warm.yard.settings.model_copy(update={"trainer_image": "trainer:2"})
    leader = warm.lead()
    leader.until_true("its end", lambda: cluster.id not in [one.id for one in warm.clusters])
    [other] = warm.await_ready(leader)
    assert other.recipe != cluster.recipe
    warm.yard.set_teams([{"name": "default"}])
    leader = warm.yard.lead()
    leader.until_true("the end of all", lambda: not warm.clusters)
    assert warm.yard.engine.known == []


def test_a_driver_that_is_gone_when_its_job_comes_costs_one_attempt(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = warm.lead()
    [cluster] = warm.await_ready(leader)
    job_id = warm.yard.submit()
    monkeypatch.setattr(waiting_drivers, "tell_driver", lambda *_: warm.yard.engine.finish(cluster.submission_id))
    leader.until_true("the second attempt", lambda: warm.yard.job(job_id).attempt == 2)
    monkeypatch.undo()
    leader.until(job_id, S.SUCCEEDED)
    first, second = warm.yard.attempts(job_id)
    assert (first.outcome, first.failure_kind, second.outcome) == ("failed", "infrastructure", "succeeded")


def test_one_that_is_not_whole_is_not_given_away(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = warm.lead()
    [cluster] = warm.await_ready(leader)
    with monkeypatch.context() as patch:
        patch.setattr(warm.yard.engine, "carries_on", lambda *_, **__: False)
        job_id = warm.yard.submit()
        leader.until(job_id, S.SUCCEEDED)
    assert cluster.id not in [one.id for one in warm.clusters]


def test_a_job_that_is_cancelled_takes_its_cluster_along(warm: Warm) -> None:
    leader = warm.lead()
    [cluster] = warm.await_ready(leader)
    job_id = warm.yard.submit(FOREVER)
    leader.until(job_id, S.RUNNING)
    warm.yard.repository.request_cancel(job_id)
    leader.until(job_id, S.CANCELLED)
    leader.until_true("the clean-up", lambda: cluster.submission_id not in warm.yard.engine.known)


def test_a_job_waits_a_moment_for_its_mlflow_run_before_it_starts_at_once(warm: Warm) -> None:
    leader = warm.lead()
    warm.await_ready(leader)
    job_id = warm.yard.submit(FOREVER)
    leader.steps.round()
    assert warm.yard.job(job_id).state is S.QUEUED
    leader.sync.round()
    leader.steps.round()
    assert warm.yard.job(job_id).state is S.STARTING


def test_a_job_starts_without_mlflow_too(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "_RUN_IS_MADE", timedelta(0))
    leader = warm.lead()
    warm.await_ready(leader)
    job_id = warm.yard.submit(FOREVER)
    leader.steps.round()
    assert warm.yard.job(job_id).state is S.STARTING


def test_all_leave_when_the_engine_has_no_room_for_an_attempt(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = warm.lead()
    [cluster] = warm.await_ready(leader)
    job_id = warm.yard.submit(FOREVER, team="other")
    leader.until(job_id, S.RUNNING)
    describe = type(warm.yard.engine).describe

    def crowded(engine: Any, handle: dict[str, Any]) -> EngineStatus:
        status = describe(engine, handle)
        return replace(status, phase=Phase.PENDING, crowded=True) if handle["submission_id"] == f"ty-{job_id}-1" else status

    with monkeypatch.context() as patch:
        patch.setattr(type(warm.yard.engine), "describe", crowded)
        leader.until_true("its end", lambda: not warm.clusters)
        for _ in range(3):
            leader.round()
        assert warm.clusters == []
    warm.await_ready(leader)
    assert cluster.id not in [one.id for one in warm.clusters]


def test_one_for_which_there_is_no_room_is_taken_back(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = warm.lead()
    [cluster] = warm.await_ready(leader)
    engine = warm.yard.engine
    describe = engine.describe

    def queued(handle: dict[str, Any]) -> EngineStatus:
        status = describe(handle)
        held = handle["submission_id"] == cluster.submission_id and not status.phase.ended
        return replace(status, phase=Phase.QUEUED) if held else status

    monkeypatch.setattr(engine, "describe", queued)
    leader.until_true("its end", lambda: cluster.id not in [one.id for one in warm.clusters])
    warm.await_ready(leader)


def test_one_that_the_engine_refuses_is_tried_again_later(warm: Warm) -> None:
    warm.yard.engine.refusal = "no such image"
    leader = warm.lead()
    for _ in range(3):
        leader.round()
    warm.yard.engine.refusal = None
    warm.await_ready(leader)


def test_a_team_that_runs_all_that_it_may_gets_none(warm: Warm) -> None:
    leader = warm.lead(max_jobs=1)
    warm.await_ready(leader)
    leader.until(warm.yard.submit(FOREVER), S.RUNNING)
    warm.await_ready(leader)
    second = warm.yard.submit()
    for _ in range(3):
        leader.round()
    assert warm.yard.job(second).state is S.QUEUED
    assert "as many jobs at a time as it may (1)" in str(warm.yard.job(second).reason)
