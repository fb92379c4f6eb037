"""The engine, MLflow or the object store go away: jobs wait or go on, and everything is made good afterwards."""

import pytest
from tests.support.jobs import new_job
from tests.support.leading import Leader, Yard

from trainyard_api.engines.memory import Script
from trainyard_api.objects import ObjectStoreError
from trainyard_api.store.states import JobState

S = JobState
FOREVER = Script(seconds=None)


def settled(yard: Yard, leader: Leader, job_id: str) -> None:
    leader.until_true("the job to be settled", lambda: yard.job(job_id).settled_at)


def rounds(leader: Leader, count: int = 3) -> None:
    for _ in range(count):
        leader.round()


def test_jobs_wait_while_the_engine_is_away(yard: Yard, leader: Leader) -> None:
    running = yard.submit(FOREVER)
    leader.until(running, S.RUNNING)
    yard.engine.reachable = False
    waiting = yard.submit()
    rounds(leader)
    assert (yard.job(running).state, yard.job(waiting).state) == (S.RUNNING, S.QUEUED)
    yard.engine.reachable = True
    yard.engine.finish(f"ty-{running}-1")
    leader.until(waiting, S.SUCCEEDED)
    leader.until(running, S.SUCCEEDED)
    assert sorted(yard.engine.submitted) == [f"ty-{running}-1", f"ty-{waiting}-1"]


def test_an_engine_that_goes_away_at_the_submission(yard: Yard, leader: Leader) -> None:
    leader.round()
    for loses_answer in (False, True):
        job_id = yard.submit()
        yard.engine.reachable, yard.engine.loses_answer = loses_answer, loses_answer
        job, attempt = yard.repository.start_attempt(job_id, S.QUEUED, 1, lease=leader.term.lease)
        rounds(leader)
        yard.engine.reachable = True
        leader.until(job_id, S.SUCCEEDED)
        assert yard.engine.submitted.count(attempt.submission_id) == 1
        assert job.attempt == 1


def test_a_cancellation_does_not_wait_for_the_engine_for_ever(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(FOREVER)
    leader.until(job_id, S.RUNNING)
    yard.engine.reachable = False
    yard.repository.request_cancel(job_id)
    leader.until(job_id, S.CANCELLED)
    assert yard.engine.known == [f"ty-{job_id}-1"]
    yard.engine.reachable = True
    leader.until_true("the engine's job to be gone", lambda: not yard.engine.known)
    assert yard.engine.stops == [f"ty-{job_id}-1"]


def test_a_restarted_head_costs_an_attempt_but_none_of_the_jobs_retries(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(lambda attempt: FOREVER if attempt == 1 else Script())
    leader.until(job_id, S.RUNNING)
    yard.engine.lose()
    assert leader.until(job_id, S.SUCCEEDED, S.FAILED).state is S.SUCCEEDED
    lost, _ = yard.attempts(job_id)
    assert (lost.failure_kind, lost.reason) == ("infrastructure", "the engine does not know the job")


def test_a_restarted_head_after_the_result_changes_nothing(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(FOREVER)
    leader.until(job_id, S.RUNNING)
    yard.engine.finish(f"ty-{job_id}-1")
    yard.engine.lose()
    leader.until(job_id, S.SUCCEEDED)


def test_jobs_never_wait_for_mlflow_and_their_runs_are_made_when_it_is_back(yard: Yard, leader: Leader) -> None:
    yard.mlflow.down = True
    ended, running = yard.submit(Script(failure="bad")), yard.submit(FOREVER)
    leader.until(ended, S.FAILED)
    leader.until(running, S.RUNNING)
    assert yard.mlflow.runs == {}
    yard.mlflow.down = False
    settled(yard, leader, ended)
    assert [run.status for run in yard.mlflow.of(ended)] == ["FAILED"]
    assert [run.status for run in yard.mlflow.of(running)] == ["RUNNING"]
    run_id = yard.job(running).mlflow_run_id
    assert yard.objects.get_bytes(f"jobs/{running}/mlflow_run_id").decode() == run_id


def test_mlflow_away_between_making_a_run_and_its_parameters(yard: Yard, leader: Leader) -> None:
    yard.mlflow.fails_params_once = True
    job_id = yard.submit()
    leader.until(job_id, S.SUCCEEDED)
    settled(yard, leader, job_id)
    [run] = yard.mlflow.of(job_id)
    assert (run.params, run.status) == ({"config.lr": "0.1"}, "FINISHED")


def test_a_run_that_is_made_after_nobody_waits_for_it_is_no_second_one(yard: Yard, leader: Leader) -> None:
    yard.mlflow.answers_late = True
    job_id = yard.submit(Script(seconds=None))
    leader.until_true("two runs", lambda: len(yard.mlflow.of(job_id)) == 2)
    known = yard.job(job_id).mlflow_run_id
    yard.engine.finish(f"ty-{job_id}-1")
    leader.until_true("the end in MLflow", lambda: yard.mlflow.runs[str(known)].ended)
    leader.until_true("one run", lambda: len(yard.mlflow.of(job_id)) == 1)
    assert yard.mlflow.runs[str(known)].status == "FINISHED"


def test_a_run_that_mlflow_breaks_on_or_refuses_holds_up_no_other(yard: Yard, leader: Leader) -> None:
    yard.mlflow.breaks, yard.mlflow.refuses = {"breaks"}, {"refused"}
    jobs = [yard.submit(name=name) for name in ("breaks", "refused", "fine")]
    for job_id in jobs:
        leader.until(job_id, S.SUCCEEDED)
    settled(yard, leader, jobs[2])
    settled(yard, leader, jobs[1])
    assert yard.mlflow.of(jobs[1]) == []
    assert yard.job(jobs[0]).settled_at is None
    yard.mlflow.breaks = set()
    settled(yard, leader, jobs[0])


def test_an_object_store_that_is_away_delays_the_end_only(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = yard.submit(FOREVER)
    leader.until(job_id, S.RUNNING)
    yard.engine.finish(f"ty-{job_id}-1")

    def away(*_: object, **__: object) -> bytes:
        raise ObjectStoreError("away")

    monkeypatch.setattr(yard.objects, "get_bytes", away)
    rounds(leader)
    assert yard.job(job_id).state is S.RUNNING
    monkeypatch.undo()
    leader.until(job_id, S.SUCCEEDED)


def test_events_are_not_lost_when_the_database_was_away_for_a_moment(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = yard.submit(FOREVER)

    def away(*_: object, **__: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(type(yard.repository), "add_trainer_events", away)
    rounds(leader)
    assert yard.job(job_id).state is S.STARTING
    monkeypatch.undo()
    leader.until(job_id, S.RUNNING)


def test_a_round_asks_once_for_each_active_job_and_never_for_finished_ones(yard: Yard, leader: Leader) -> None:
    done = [yard.submit() for _ in range(5)]
    for job_id in done:
        leader.until(job_id, S.SUCCEEDED)
    active = [yard.submit(FOREVER) for _ in range(3)]
    for job_id in active:
        leader.until(job_id, S.RUNNING)
    yard.engine.described = 0
    leader.round()
    assert yard.engine.described == len(active)


def test_metadata_of_a_job_reaches_its_run(yard: Yard, leader: Leader) -> None:
    given = new_job(
        tags={"team": "vision"}, code="c" * 64, parameters={"config": {"a": {"b": 1}, "empty": {}}, "odd key!": None, "é?": "x"}
    )
    yard.repository.create_job(given)
    leader.until(given.id, S.SUCCEEDED)
    settled(yard, leader, given.id)
    [run] = yard.mlflow.of(given.id)
    assert run.params == {"config.a.b": "1", "config.empty": "{}", "é_": "x"}
    expected = {"team": "vision", "trainyard.code": "c" * 64, "trainyard.template": "function", "trainyard.engine": "memory"}
    assert expected.items() <= run.tags.items()
