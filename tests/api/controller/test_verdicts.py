"""Who pays for another attempt: the job's own retries, or the platform."""

from datetime import timedelta

import pytest
from tests.support.leading import Leader, Yard

from trainyard_api.controller.attempt_objects import AttemptResult
from trainyard_api.controller.verdicts import Verdict, verdict
from trainyard_api.engines.base import EngineStatus, Phase
from trainyard_api.engines.memory import Script
from trainyard_api.failures import FailureKind
from trainyard_api.store.models import Attempt, Job, utcnow
from trainyard_api.store.states import JobState

S = JobState
USER, INFRASTRUCTURE, OUT_OF_MEMORY, HUNG = FailureKind
DIED = EngineStatus(Phase.FAILED, "the job's driver ended with exit code 1")


def decide(
    kinds: list[FailureKind],
    *,
    retries: int = 0,
    status: EngineStatus = DIED,
    reason: str = "it failed",
    result: bool = True,
    limit: int = 2,
    stopped: str | None = None,
    deadline: int | None = None,
) -> Verdict:
    """The verdict on the last of these failures."""
    now = utcnow()
    job = Job(id="j1", retries=retries, attempts_before_retry=0, deadline_seconds=deadline)
    *earlier, latest = [
        Attempt(number=number, failure_kind=kind, admitted_at=now - timedelta(hours=1)) for number, kind in enumerate(kinds, start=1)
    ]
    latest.stop_reason = stopped
    known = AttemptResult(False, reason, kind=kinds[-1]) if result else None
    return verdict(job, latest, status, known, now, earlier=earlier, infrastructure_retries=limit)


@pytest.mark.parametrize(
    ("kinds", "retries", "target"),
    [
        ([USER], 0, S.FAILED),
        ([USER], 1, S.RETRYING),
        ([USER, USER], 1, S.FAILED),
        ([INFRASTRUCTURE], 0, S.RETRYING),
        ([HUNG], 0, S.RETRYING),
        ([INFRASTRUCTURE, HUNG], 0, S.RETRYING),
        ([INFRASTRUCTURE, HUNG, INFRASTRUCTURE], 0, S.FAILED),
        ([INFRASTRUCTURE, HUNG, INFRASTRUCTURE], 1, S.RETRYING),
        ([USER, INFRASTRUCTURE], 1, S.RETRYING),
        ([INFRASTRUCTURE, USER], 0, S.FAILED),
        ([INFRASTRUCTURE, INFRASTRUCTURE, USER], 1, S.RETRYING),
        ([INFRASTRUCTURE, INFRASTRUCTURE, INFRASTRUCTURE, USER], 1, S.FAILED),
        ([OUT_OF_MEMORY], 0, S.FAILED),
        ([OUT_OF_MEMORY], 1, S.RETRYING),
    ],
)
def test_whether_a_job_is_tried_again(kinds: list[FailureKind], retries: int, target: JobState) -> None:
    end = decide(kinds, retries=retries)
    assert (end.outcome, end.target, end.kind) == ("failed", target, kinds[-1])
    assert (end.backoff is not None) == (target is S.RETRYING)


def test_only_what_was_lost_once_is_tried_again_at_once() -> None:
    pauses = [decide(kinds, retries=3).backoff for kinds in ([USER], [INFRASTRUCTURE], [HUNG], [INFRASTRUCTURE, INFRASTRUCTURE])]
    assert [pause.total_seconds() >= 2 for pause in pauses] == [True, False, False, True]


def test_a_platform_may_retry_nothing_at_its_own_expense() -> None:
    assert decide([INFRASTRUCTURE], limit=0).target is S.FAILED
    assert decide([INFRASTRUCTURE], limit=0).reason == "it failed"


def test_a_job_that_was_tried_again_in_vain_says_so() -> None:
    assert decide([HUNG] * 3).reason == "it failed; it was tried 3 times"


def test_out_of_memory_says_what_to_change() -> None:
    lost = "the head's pod was killed because it used more than its 2 GiB of memory; raise memory_gb_per_worker"
    assert decide([OUT_OF_MEMORY], retries=1).reason == "it failed; raise memory_gb_per_worker"
    final = "it failed; raise memory_gb_per_worker: without it, another attempt would end the same way"
    assert decide([OUT_OF_MEMORY]).reason == final
    assert decide([OUT_OF_MEMORY], retries=1, reason=lost).reason == lost


def test_the_deadline_is_final_whatever_the_kind() -> None:
    end = decide([INFRASTRUCTURE], retries=5, stopped="ran past its deadline of 60 s", deadline=60)
    assert (end.target, end.reason) == (S.FAILED, "ran past its deadline of 60 s")


def test_without_a_result_the_engine_says_why() -> None:
    lost = EngineStatus(Phase.FAILED, "node n1 was lost", kind=INFRASTRUCTURE)
    end = decide([USER], result=False, status=lost)
    assert (end.target, end.reason, end.kind) == (S.RETRYING, "node n1 was lost", INFRASTRUCTURE)
    assert decide([USER], result=False).kind is INFRASTRUCTURE
    assert decide([USER], result=False, status=EngineStatus(Phase.STOPPED)).kind is USER


def test_the_engine_knows_better_why_a_worker_is_gone_and_the_trainer_why_a_program_failed() -> None:
    oom = EngineStatus(Phase.FAILED, "the worker pod w was killed; raise memory_gb_per_worker", kind=OUT_OF_MEMORY)
    assert decide([INFRASTRUCTURE], status=oom).kind is OUT_OF_MEMORY
    assert decide([USER], status=oom).reason == "it failed"


@pytest.mark.parametrize("writes_result", [True, False])
def test_a_lost_attempt_is_tried_again_and_shows_why(yard: Yard, leader: Leader, writes_result: bool) -> None:
    lost = Script(failure="the node is gone", kind=INFRASTRUCTURE, writes_result=writes_result)
    job_id = yard.submit(lambda attempt: lost if attempt == 1 else Script())
    assert leader.until(job_id, S.SUCCEEDED, S.FAILED).state is S.SUCCEEDED, "the first loss has nothing to wait for"
    kinds = [(one.outcome, one.failure_kind) for one in yard.attempts(job_id)]
    assert kinds == [("failed", "infrastructure"), ("succeeded", None)]


def test_a_users_retry_has_a_fresh_budget_of_both_kinds(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(lambda attempt: Script(failure="gone", kind=INFRASTRUCTURE if attempt != 2 else USER))
    leader.until(job_id, S.FAILED)
    yard.repository.request_retry(job_id)
    while leader.until(job_id, S.RETRYING, S.FAILED).state is S.RETRYING:
        yard.repository.update_job(job_id, not_before=None)
        leader.round()
    assert [one.failure_kind for one in yard.attempts(job_id)] == ["infrastructure", "user", *["infrastructure"] * 4]


def test_what_the_trainer_calls_by_an_unknown_name_is_the_users(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(Script(seconds=None))
    leader.until(job_id, S.RUNNING)
    yard.objects.put_bytes(
        f"jobs/{job_id}/attempts/1/result.json", b'{"outcome": "failed", "reason": "x", "kind": "cosmic", "failed_rank": null}'
    )
    yard.engine.finish(f"ty-{job_id}-1", "x", writes_result=False)
    leader.until(job_id, S.FAILED)
    assert yard.attempts(job_id)[0].failure_kind == "user"
