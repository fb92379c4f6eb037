"""Cancelling in every state ends what runs, and the job says so."""

import pytest
from tests.support.leading import Leader, Yard

from trainyard_api.engines.memory import Script
from trainyard_api.store.errors import InUse
from trainyard_api.store.states import JobState

S = JobState
FOREVER = Script(seconds=None)


def cancelled(yard: Yard, leader: Leader, job_id: str) -> None:
    """The job ends CANCELLED, nothing of it is left in the engine, and its run is closed."""
    leader.until(job_id, S.CANCELLED)
    leader.until_true("the job to be settled", lambda: yard.job(job_id).settled_at and not yard.repository.uncleaned_attempts())
    assert yard.engine.known == []
    assert [run.status for run in yard.mlflow.of(job_id)] == ["KILLED"]
    yard.repository.delete_job(job_id)


def test_a_queued_job_never_reaches_the_engine(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit()
    yard.repository.request_cancel(job_id)
    cancelled(yard, leader, job_id)
    assert yard.engine.submitted == []


def test_a_running_job_is_stopped(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(FOREVER, retries=5)
    leader.until(job_id, S.RUNNING)
    assert yard.repository.request_cancel(job_id).state is S.RUNNING
    leader.until(job_id, S.CANCELLED)
    [attempt] = yard.attempts(job_id)
    assert (attempt.outcome, attempt.reason) == ("cancelled", "cancelled by a user")
    cancelled(yard, leader, job_id)


def test_a_starting_job_whose_submission_did_not_arrive(yard: Yard, leader: Leader) -> None:
    leader.round()
    job_id = yard.submit()
    yard.repository.start_attempt(job_id, S.QUEUED, 1)
    yard.repository.request_cancel(job_id)
    cancelled(yard, leader, job_id)
    assert yard.engine.submitted == []


def test_a_starting_job_whose_submission_arrived_but_not_its_answer(yard: Yard, leader: Leader) -> None:
    yard.engine.loses_answer = True
    job_id = yard.submit(FOREVER)
    leader.round()
    assert yard.job(job_id).state is S.STARTING
    assert yard.engine.known == [f"ty-{job_id}-1"]
    yard.repository.request_cancel(job_id)
    cancelled(yard, leader, job_id)


def test_a_submission_that_arrives_after_the_cancellation_is_ended_too(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(FOREVER)
    _, attempt = yard.repository.start_attempt(job_id, S.QUEUED, 1)
    yard.repository.request_cancel(job_id)
    leader.until(job_id, S.CANCELLED)
    with pytest.raises(InUse):
        yard.repository.delete_job(job_id)
    from tests.support.engines import submission

    late = submission({})
    yard.engine.submit(type(late)(attempt.submission_id, job_id, 1, 1, late.resources, {}))
    cancelled(yard, leader, job_id)
    assert yard.engine.stops == [attempt.submission_id]


def test_a_job_between_attempts(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(Script(failure="bad"), retries=1)
    leader.until(job_id, S.RETRYING)
    yard.repository.request_cancel(job_id)
    cancelled(yard, leader, job_id)
    assert len(yard.engine.submitted) == 1


def test_a_job_that_ends_well_before_the_stop_arrives_has_succeeded(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(FOREVER)
    leader.until(job_id, S.RUNNING)
    yard.engine.finish(f"ty-{job_id}-1")
    yard.repository.request_cancel(job_id)
    assert leader.until(job_id, S.SUCCEEDED, S.CANCELLED).state is S.SUCCEEDED


def test_a_job_that_does_not_stop_is_cancelled_anyway_and_ended_later(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(Script(seconds=None, stops=False))
    leader.until(job_id, S.RUNNING)
    yard.repository.request_cancel(job_id)
    leader.until(job_id, S.CANCELLED)
    assert yard.engine.known == [f"ty-{job_id}-1"]
    with pytest.raises(InUse):
        yard.repository.delete_job(job_id)
    yard.engine.finish(f"ty-{job_id}-1", "ended at last")
    cancelled(yard, leader, job_id)


def test_a_cancelled_job_can_be_retried_and_runs_again(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(lambda attempt: FOREVER if attempt == 1 else Script())
    leader.until(job_id, S.RUNNING)
    yard.repository.request_cancel(job_id)
    leader.until(job_id, S.CANCELLED)
    yard.repository.request_retry(job_id)
    assert leader.until(job_id, S.SUCCEEDED, S.CANCELLED).state is S.SUCCEEDED


def test_a_job_deleted_between_two_rounds_is_no_trouble(yard: Yard, leader: Leader) -> None:
    gone = yard.submit()
    leader.until(gone, S.SUCCEEDED)
    leader.until_true("the job to be settled", lambda: yard.job(gone).settled_at)
    yard.repository.delete_job(gone)
    leader.until(yard.submit(), S.SUCCEEDED)
