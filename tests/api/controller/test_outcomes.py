"""How attempts end, and what becomes of their jobs."""

import json
from datetime import timedelta

import pytest
from tests.support.leading import Leader, Yard

from trainyard_api.controller import waiting_drivers
from trainyard_api.engines.memory import Script
from trainyard_api.failures import FailureKind
from trainyard_api.objects.base import ObjectStoreError
from trainyard_api.store.models import utcnow
from trainyard_api.store.states import JobState

S = JobState
FOREVER = Script(seconds=None)


def put(yard: Yard, job_id: str, name: str, content: object, attempt: int = 1) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    yard.objects.put_bytes(f"jobs/{job_id}/attempts/{attempt}/{name}", body)


def test_a_job_succeeds_and_its_run_is_closed(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(workers=2)
    job = leader.until(job_id, S.SUCCEEDED)
    assert (job.attempt, job.reason) == (1, None)
    assert job.created_at <= job.started_at <= job.finished_at
    [attempt] = yard.attempts(job_id)
    assert (attempt.outcome, attempt.reason, attempt.workers) == ("succeeded", None, 2)
    assert attempt.cleaned_at is not None
    assert yard.engine.known == []
    names = [event.name for event in yard.repository.list_events(job_id)]
    assert names == ["accepted", "STARTING", "admitted", "train_function_entered", "RUNNING", "SUCCEEDED", "finished"]
    leader.until_true("the job to be settled", lambda: yard.job(job_id).settled_at)
    [run] = yard.mlflow.of(job_id)
    assert (run.status, run.ended, run.params, run.tags["trainyard.state"]) == ("FINISHED", True, {"config.lr": "0.1"}, "SUCCEEDED")


def test_a_model_of_the_result_is_noted(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(FOREVER)
    leader.until(job_id, S.RUNNING)
    put(yard, job_id, "result.json", {"outcome": "succeeded", "model_name": "digits", "model_version": "3"})
    yard.engine.finish(f"ty-{job_id}-1", writes_result=False)
    job = leader.until(job_id, S.SUCCEEDED)
    assert (job.model_name, job.model_version) == ("digits", "3")


def test_a_failure_has_its_reason_rank_and_last_lines(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(FOREVER)
    leader.until(job_id, S.RUNNING)
    result = {"outcome": "failed", "reason": "rank 1 exited with code 3", "failed_rank": 1, "tail": ["one", "two\u0000", "\ud800"]}
    put(yard, job_id, "result.json", result)
    yard.engine.finish(f"ty-{job_id}-1", "driver ended", writes_result=False)
    job = leader.until(job_id, S.FAILED)
    assert job.reason == "rank 1 exited with code 3"
    [attempt] = yard.attempts(job_id)
    assert (attempt.outcome, attempt.reason, attempt.failed_rank) == ("failed", "rank 1 exited with code 3", 1)
    assert attempt.tail == ["one", "two\ufffd", "?"]
    leader.until_true("the job to be settled", lambda: yard.job(job_id).settled_at)
    [run] = yard.mlflow.of(job_id)
    assert (run.status, run.tags["trainyard.reason"]) == ("FAILED", "rank 1 exited with code 3")


def test_a_driver_killed_without_a_result(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(Script(failure="the job's driver ended with exit code -9", writes_result=False))
    job = leader.until(job_id, S.FAILED)
    assert job.reason == "the job's driver ended with exit code -9"
    assert yard.attempts(job_id)[0].tail == ["the last line"]


@pytest.mark.parametrize("rank", ["0", "driver"])
def test_the_last_lines_come_from_the_shipped_log(yard: Yard, leader: Leader, rank: str) -> None:
    job_id = yard.submit(FOREVER)
    leader.until(job_id, S.RUNNING)
    lines = [f"line {number}" for number in range(50)]
    content = "\n".join(lines).encode()
    for start in range(0, len(content), 100):
        put(yard, job_id, f"logs/rank-{rank}/{start:012d}.log", content[start : start + 100])
    yard.engine.finish(f"ty-{job_id}-1", "killed", writes_result=False)
    leader.until(job_id, S.FAILED)
    assert yard.attempts(job_id)[0].tail == lines[-20:]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b'"x"', b'{"outcome": "failed", "failed_rank": "x"}', b"[" * 5000, b"\xff"])
def test_a_result_that_cannot_be_read_is_a_failure(yard: Yard, leader: Leader, content: bytes) -> None:
    job_id = yard.submit(FOREVER)
    leader.until(job_id, S.RUNNING)
    put(yard, job_id, "result.json", content)
    yard.engine.finish(f"ty-{job_id}-1", writes_result=False)
    job = leader.until(job_id, S.FAILED)
    assert job.reason.startswith("the trainer's result cannot be read")


def test_bad_events_are_left_out_and_good_ones_taken(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(FOREVER)
    leader.until(job_id, S.RUNNING)
    good = {"seq": 12, "time": 1e9, "kind": "stage", "name": "code_staged\u0000" + "x" * 500, "detail": {"a": "\u0000"}}
    wrong = [{"seq": "x"}, {"seq": 2**40}, {"seq": -1}, {"time": 1e300}, {"detail": 5}]
    bad = [b"{", {}, [good], *({**good, **part} for part in wrong)]
    for number, content in enumerate([*bad, good]):
        put(yard, job_id, f"events/{number + 2:06d}.json", content)
    leader.round()
    taken = [event for event in yard.repository.list_events(job_id) if event.seq is not None]
    assert [event.seq for event in taken] == [1, 12]
    assert taken[1].name.startswith("code_staged\ufffdx")
    assert yard.job(job_id).state is S.RUNNING


def test_one_job_with_a_surprise_does_not_hold_up_the_others(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    odd, fine = yard.submit(FOREVER), yard.submit()
    describe = yard.engine.describe

    def surprising(handle: dict[str, str]) -> object:
        if odd in handle["submission_id"]:
            raise ZeroDivisionError
        return describe(handle)

    monkeypatch.setattr(yard.engine, "describe", surprising)
    leader.until(fine, S.SUCCEEDED)
    monkeypatch.undo()
    yard.engine.finish(f"ty-{odd}-1")
    leader.until(odd, S.SUCCEEDED)


def test_retries_wait_longer_each_time_and_end(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(Script(failure="again"), retries=2)
    waits = []
    for _ in range(2):
        job = leader.until(job_id, S.RETRYING)
        assert job.reason == "again"
        waits.append(round((job.not_before - utcnow()).total_seconds()))
        leader.round()
        assert yard.job(job_id).state is S.RETRYING
        yard.repository.update_job(job_id, not_before=utcnow())
    leader.until(job_id, S.FAILED)
    assert waits == [2, 4]
    assert [attempt.outcome for attempt in yard.attempts(job_id)] == ["failed"] * 3
    assert yard.engine.submitted == [f"ty-{job_id}-{number}" for number in (1, 2, 3)]
    assert yard.engine.known == []
    leader.until_true("the job to be settled", lambda: yard.job(job_id).settled_at)
    assert [run.status for run in yard.mlflow.of(job_id)] == ["FAILED"]


def lost(attempt: int) -> Script:
    """An attempt whose ranks are lost, and one after it that runs until it is ended."""
    return Script(seconds=None, stands_by=attempt == 1)


def lose(yard: Yard, job_id: str) -> None:
    yard.engine.finish(f"ty-{job_id}-1", "rank 1 was killed by SIGKILL", kind=FailureKind.INFRASTRUCTURE)


def test_a_driver_that_lost_its_ranks_runs_the_next_attempt_at_once(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(lost)
    leader.until(job_id, S.RUNNING)
    lose(yard, job_id)
    leader.until_true("the second attempt", lambda: yard.job(job_id).attempt == 2)
    leader.until(job_id, S.RUNNING)
    yard.engine.finish(f"ty-{job_id}-1")
    leader.until(job_id, S.SUCCEEDED)
    first, second = yard.attempts(job_id)
    assert (first.outcome, first.reason, first.failure_kind) == ("failed", "rank 1 was killed by SIGKILL", "infrastructure")
    assert second.outcome == "succeeded"
    assert first.cleaned_at <= second.created_at
    assert yard.engine.submitted == [f"ty-{job_id}-1"]
    assert yard.engine.known == []
    states = [event.name for event in yard.repository.list_events(job_id) if event.kind == "state"]
    assert states == ["STARTING", "RUNNING", "RETRYING", "STARTING", "RUNNING", "SUCCEEDED"]


def away(*_: object) -> None:
    raise ObjectStoreError("away")


def test_a_new_leader_tells_the_driver_that_stands_by(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = yard.submit(lost)
    leader.until(job_id, S.RUNNING)
    lose(yard, job_id)
    with monkeypatch.context() as patch:
        patch.setattr(waiting_drivers, "tell_driver", away)
        leader.until_true("the second attempt", lambda: yard.job(job_id).attempt == 2)
    yard.lead().until(job_id, S.RUNNING)
    assert yard.engine.submitted == [f"ty-{job_id}-1"]


def test_a_driver_that_was_told_to_end_is_not_told_otherwise(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = yard.submit(lost)
    leader.until(job_id, S.RUNNING)
    lose(yard, job_id)
    with monkeypatch.context() as patch:
        patch.setattr(yard.engine, "_hear", lambda _: None)  # it has not looked yet
        with monkeypatch.context() as unfit:
            unfit.setattr(yard.engine, "carries_on", lambda *_, **__: False)
            leader.round()
        leader.round()
        assert yard.job(job_id).attempt == 1
    leader.until_true("the second attempt", lambda: yard.job(job_id).attempt == 2)
    assert yard.engine.submitted == [f"ty-{job_id}-1", f"ty-{job_id}-2"], "the second has a place of its own"


def test_a_driver_that_no_longer_waits_costs_one_attempt(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = yard.submit(lost)
    leader.until(job_id, S.RUNNING)
    lose(yard, job_id)
    monkeypatch.setattr(waiting_drivers, "tell_driver", lambda *_: yard.engine.finish(f"ty-{job_id}-1"))
    leader.until_true("the second attempt", lambda: yard.job(job_id).attempt == 2)
    monkeypatch.undo()
    leader.until(job_id, S.RETRYING)
    assert [one.failure_kind for one in yard.attempts(job_id)] == ["infrastructure", "infrastructure"]
    yard.repository.update_job(job_id, not_before=None)
    leader.until(job_id, S.RUNNING)
    assert yard.engine.submitted == [f"ty-{job_id}-1", f"ty-{job_id}-3"]


@pytest.mark.parametrize("why", ["nothing left to try", "cancelled", "the user's doing"])
def test_a_driver_that_stands_by_for_nothing_is_told_to_end(yard: Yard, why: str) -> None:
    if why == "nothing left to try":
        yard.settings = yard.settings.model_copy(update={"infrastructure_retries": 0})
    leader = yard.lead()
    job_id = yard.submit(lost)
    leader.until(job_id, S.RUNNING)
    kind = FailureKind.USER if why == "the user's doing" else FailureKind.INFRASTRUCTURE
    yard.engine.finish(f"ty-{job_id}-1", "rank 1 was killed by SIGKILL", kind=kind)
    if why == "cancelled":
        yard.repository.request_cancel(job_id)
    job = leader.until(job_id, S.FAILED, S.CANCELLED)
    assert (job.attempt, job.state) == (1, S.CANCELLED if why == "cancelled" else S.FAILED)
    assert yard.engine.known == []


def test_a_retry_that_succeeds(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(lambda attempt: Script(failure="once") if attempt == 1 else Script(), retries=1)
    leader.until(job_id, S.RETRYING)
    yard.repository.update_job(job_id, not_before=None)
    job = leader.until(job_id, S.SUCCEEDED)
    assert (job.attempt, job.reason) == (2, None)


def test_a_users_retry_has_a_fresh_budget_and_reopens_the_run(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(lambda attempt: Script(failure="bad") if attempt < 3 else FOREVER, retries=1)
    leader.until(job_id, S.RETRYING)
    yard.repository.update_job(job_id, not_before=None)
    leader.until(job_id, S.FAILED)
    leader.until_true("the job to be settled", lambda: yard.job(job_id).settled_at)
    yard.repository.request_retry(job_id)
    leader.until(job_id, S.RUNNING)
    leader.round()
    [run] = yard.mlflow.of(job_id)
    assert (run.status, run.ended) == ("RUNNING", False)
    yard.engine.finish(f"ty-{job_id}-3", "bad")
    assert leader.until(job_id, S.RETRYING, S.FAILED).state is S.RETRYING


def late(yard: Yard, job_id: str, number: int = 1, seconds: float = 3600) -> None:
    yard.repository.update_attempt(job_id, number, admitted_at=utcnow() - timedelta(seconds=seconds))


def test_past_its_deadline_a_job_is_stopped_and_fails_without_a_retry(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(FOREVER, deadline_seconds=60, retries=5)
    leader.until(job_id, S.RUNNING)
    leader.round()
    assert yard.engine.stops == []
    late(yard, job_id)
    job = leader.until(job_id, S.FAILED)
    assert job.reason == "ran past its deadline of 60 s"
    assert len(yard.engine.stops) == 1
    assert yard.engine.known == []


def test_the_deadline_is_the_reason_whatever_the_stopped_rank_says(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(Script(seconds=None, stops=False), deadline_seconds=60)
    leader.until(job_id, S.RUNNING)
    late(yard, job_id)
    leader.round()
    yard.engine.finish(f"ty-{job_id}-1", "rank 0 was killed by signal 15")
    job = leader.until(job_id, S.FAILED)
    assert job.reason == "ran past its deadline of 60 s"
    assert yard.attempts(job_id)[0].failed_rank == 0


def test_a_driver_that_succeeded_just_past_the_deadline_has_succeeded(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(FOREVER, deadline_seconds=60)
    leader.until(job_id, S.RUNNING)
    late(yard, job_id)
    yard.engine.finish(f"ty-{job_id}-1")
    assert leader.until(job_id, S.SUCCEEDED, S.FAILED).state is S.SUCCEEDED


def test_a_job_that_cannot_be_stopped_fails_anyway_and_keeps_its_place_until_it_ends(yard: Yard, leader: Leader) -> None:
    hung = yard.submit(Script(seconds=None, stops=False), cpus=4, deadline_seconds=60)
    leader.until(hung, S.RUNNING)
    late(yard, hung)
    job = leader.until(hung, S.FAILED)
    assert job.reason == "ran past its deadline of 60 s"
    assert len(yard.engine.stops) > 1
    assert yard.engine.known == [f"ty-{hung}-1"]
    following = yard.submit(cpus=4)
    for _ in range(3):
        leader.round()
    assert yard.job(following).state is S.QUEUED
    yard.engine.finish(f"ty-{hung}-1", "at last")
    leader.until(following, S.SUCCEEDED)
    assert yard.job(hung).state is S.FAILED
    assert yard.engine.known == []


def test_a_silent_driver_is_ended_and_its_next_attempt_never_runs_beside_it(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(lambda attempt: Script(seconds=None, beats=False, stops=False) if attempt == 1 else Script())
    job = leader.until(job_id, S.RETRYING)
    assert job.reason == "the driver has not been heard of for 0.3 s"
    assert yard.attempts(job_id)[0].failure_kind == "infrastructure"
    yard.repository.update_job(job_id, not_before=None)
    for _ in range(5):
        leader.round()
    assert yard.engine.submitted == [f"ty-{job_id}-1"]
    yard.engine.finish(f"ty-{job_id}-1", "ended at last")
    leader.until(job_id, S.SUCCEEDED)
    assert yard.engine.submitted == [f"ty-{job_id}-1", f"ty-{job_id}-2"]


def test_a_driver_that_beats_lives_on(yard: Yard, leader: Leader) -> None:
    beating, silent = yard.submit(FOREVER), yard.submit(Script(seconds=None, beats=False))
    leader.until(silent, S.RETRYING)
    leader.round()
    assert yard.job(beating).state is S.RUNNING


def test_a_driver_that_lingers_after_its_result_is_ended(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(FOREVER)
    leader.until(job_id, S.RUNNING)
    put(yard, job_id, "result.json", {"outcome": "succeeded"})
    leader.round()
    assert yard.job(job_id).state is S.RUNNING
    job = leader.until(job_id, S.SUCCEEDED)
    assert job.reason is None
    assert yard.engine.stops == [f"ty-{job_id}-1"]


def test_a_refused_submission_fails_the_job_with_the_engines_words(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(retries=3)
    yard.engine.refusal = "no such runtime"
    job = leader.until(job_id, S.FAILED)
    assert job.reason == "no such runtime"
    assert (yard.attempts(job_id)[0].outcome, yard.attempts(job_id)[0].failure_kind) == ("failed", "user")
    assert yard.repository.uncleaned_attempts() == []
