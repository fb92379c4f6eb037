"""Controllers that die, hand over, or run side by side: every attempt is submitted once, and one of them decides."""

import threading
from collections.abc import Callable

import pytest
from tests.support.leading import Leader, Yard
from tests.support.waiting import wait_for

from trainyard_api.engines.memory import Script
from trainyard_api.store import lease as leases
from trainyard_api.store.errors import LeaseLost
from trainyard_api.store.states import JobState

S = JobState
FOREVER = Script(seconds=None)


class Killed(BaseException):
    """The controller's process ends here."""


def killed_at(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, *, after: bool = False) -> None:
    """The next call of this method kills the controller, before or after it did its work."""
    original: Callable[..., object] = getattr(owner, name)

    def call(*arguments: object, **options: object) -> object:
        monkeypatch.setattr(owner, name, original)
        if after:
            original(*arguments, **options)
        raise Killed

    monkeypatch.setattr(owner, name, call)


@pytest.mark.parametrize("after", [False, True], ids=["before the submission", "after the submission"])
def test_killed_around_the_submission(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    job_id = yard.submit(workers=3, min_workers=1)
    killed_at(monkeypatch, yard.engine, "submit", after=after)
    with pytest.raises(Killed):
        leader.round()
    assert yard.job(job_id).state is S.STARTING
    yard.lead().until(job_id, S.SUCCEEDED)
    assert yard.engine.submitted == [f"ty-{job_id}-1"]
    assert yard.engine.known == []


@pytest.mark.parametrize("after", [False, True], ids=["before the deletion", "after the deletion"])
def test_killed_around_the_clean_up(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    job_id = yard.submit(Script(failure="bad"), retries=1)
    killed_at(monkeypatch, yard.engine, "delete", after=after)
    with pytest.raises(Killed):
        leader.until(job_id, S.FAILED)
    assert yard.job(job_id).state is S.RETRYING
    yard.repository.update_job(job_id, not_before=None)
    yard.lead().until(job_id, S.FAILED)
    assert yard.engine.submitted == [f"ty-{job_id}-1", f"ty-{job_id}-2"]
    assert yard.engine.known == []


def test_a_new_leader_goes_on_with_running_jobs(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(FOREVER)
    leader.until(job_id, S.RUNNING)
    events = len(yard.repository.list_events(job_id))
    successor = yard.lead()
    successor.round()
    assert len(yard.repository.list_events(job_id)) == events
    yard.engine.finish(f"ty-{job_id}-1")
    successor.until(job_id, S.SUCCEEDED)
    assert len(yard.engine.submitted) == 1


def test_a_lost_leader_changes_nothing_and_submits_nothing(yard: Yard, leader: Leader) -> None:
    running = yard.submit(FOREVER)
    leader.until(running, S.RUNNING)
    yard.engine.finish(f"ty-{running}-1")
    queued = yard.submit()
    yard.lead()
    with pytest.raises(LeaseLost):
        leader.round()
    assert (yard.job(running).state, yard.job(queued).state) == (S.RUNNING, S.QUEUED)
    assert yard.engine.submitted == [f"ty-{running}-1"]


def test_a_lost_leader_does_not_submit_again_what_its_successor_finished(
    yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old leader has read the attempt as not submitted; before it acts, the new one runs it to its end and cleans up."""
    job_id = yard.submit()
    yard.repository.start_attempt(job_id, S.QUEUED, 1, lease=leader.term.lease)
    stale = yard.repository.uncleaned_attempts()
    yard.lead().until(job_id, S.SUCCEEDED)
    monkeypatch.setattr(type(yard.repository), "uncleaned_attempts", lambda _: stale)
    monkeypatch.setattr(type(yard.repository), "save_capacity", lambda *_, **__: None)
    with pytest.raises(LeaseLost):
        leader.round()
    assert yard.engine.submitted == [f"ty-{job_id}-1"]


def run(yard: Yard, owner: str) -> tuple[threading.Thread, threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=yard.controller(owner).run, args=(stop,), name=owner)
    thread.start()
    return thread, stop


def end(*running: tuple[threading.Thread, threading.Event]) -> None:
    for _, stop in running:
        stop.set()
    for thread, _ in running:
        thread.join(timeout=30)
        assert not thread.is_alive()


def done(yard: Yard, job_id: str) -> Callable[[], bool]:
    return lambda: yard.job(job_id).settled_at is not None


def test_two_controllers_side_by_side_and_one_takes_over(yard: Yard) -> None:
    first = run(yard, "first")
    wait_for("the first to lead", lambda: leases.is_led(yard.database))
    second = run(yard, "second")
    try:
        jobs = [yard.submit() for _ in range(5)]
        for job_id in jobs:
            wait_for("the job", done(yard, job_id))
        end(first)
        late = yard.submit()
        wait_for("the job of the second", done(yard, late))
    finally:
        end(first, second)
    assert sorted(yard.engine.submitted) == sorted(f"ty-{job_id}-1" for job_id in [*jobs, late])
    assert all(yard.job(job_id).state is S.SUCCEEDED for job_id in [*jobs, late])
    assert all(len(yard.mlflow.of(job_id)) == 1 for job_id in [*jobs, late])
    assert not leases.is_led(yard.database)


def test_takeover_when_the_lease_of_a_frozen_leader_runs_out(yard: Yard) -> None:
    frozen = yard.lead("frozen")
    frozen.round()
    job_id = yard.submit()
    other = run(yard, "other")
    try:
        assert yard.job(job_id).state is S.QUEUED
        wait_for("the job", done(yard, job_id))
        with pytest.raises(LeaseLost):
            frozen.term.check()
    finally:
        end(other)


def test_news_of_the_engine_are_looked_at_without_waiting_for_the_poll(yard: Yard) -> None:
    yard.settings = yard.settings.model_copy(update={"poll_seconds": 3600.0})
    controller = run(yard, "controller")
    try:
        job_id = yard.submit()

        def ended_after_news() -> bool:
            yard.engine.news.set()
            return yard.job(job_id).state is S.SUCCEEDED

        wait_for("the job", ended_after_news)
    finally:
        controller[1].set()
        yard.engine.news.set()
        end(controller)


def test_a_leader_survives_surprises(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    surprises = iter([ZeroDivisionError("capacity"), KeyError("capacity")])
    capacity = yard.engine.capacity

    def surprising() -> object:
        for surprise in surprises:
            raise surprise
        return capacity()

    monkeypatch.setattr(yard.engine, "capacity", surprising)
    monkeypatch.setattr("trainyard_api.controller.loop._PAUSE_SECONDS", 0.01)
    controller = run(yard, "controller")
    try:
        wait_for("the job", done(yard, yard.submit()))
    finally:
        end(controller)
