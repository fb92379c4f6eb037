"""An elastic job that began with fewer workers than it asked for goes on with more, when there is room and a checkpoint to go on from."""

import json
import time

import pytest
from tests.support.leading import Leader, Yard

from trainyard_api.engines.memory import Script
from trainyard_api.store.states import JobState

S = JobState
FOREVER = Script(seconds=None)


def checkpoint(yard: Yard, job_id: str, attempt: int, seq: int = 2) -> None:
    """The trainer says that a checkpoint is complete."""
    event = {"seq": seq, "time": time.time(), "kind": "checkpoint", "name": "step 5", "detail": {"step": 5}}
    yard.objects.put_bytes(f"jobs/{job_id}/attempts/{attempt}/events/{seq:06d}.json", json.dumps(event).encode())


def sizes(yard: Yard, job_id: str) -> list[tuple[int, str | None]]:
    return [(one.workers, one.outcome) for one in yard.attempts(job_id)]


@pytest.fixture
def crowded(yard: Yard, leader: Leader) -> tuple[str, str]:
    """Of four cores, one job has three; the elastic one, which asks for four, has to do with one."""
    other, elastic = yard.submit(FOREVER, workers=3), yard.submit(FOREVER, workers=4, min_workers=1)
    leader.until(elastic, S.RUNNING)
    assert sizes(yard, elastic) == [(1, None)]
    return other, elastic


def test_it_grows_at_a_checkpoint_and_no_retry_is_spent(yard: Yard, leader: Leader, crowded: tuple[str, str]) -> None:
    other, elastic = crowded
    yard.engine.finish(f"ty-{other}-1")
    leader.until(other, S.SUCCEEDED)
    for _ in range(5):
        leader.round()
    assert sizes(yard, elastic) == [(1, None)], "it was interrupted without a checkpoint"

    checkpoint(yard, elastic, 1)
    leader.until_true("the second attempt", lambda: yard.job(elastic).attempt == 2 and yard.job(elastic).state is S.RUNNING)

    assert sizes(yard, elastic) == [(1, "resized"), (4, None)]
    first, _ = yard.attempts(elastic)
    assert (first.reason, first.failure_kind) == ("goes on with 4 workers instead of 1", None)
    yard.engine.finish(f"ty-{elastic}-2", failure="its own bug")
    job = leader.until(elastic, S.FAILED)
    assert job.reason == "its own bug"


def test_room_that_somebody_waits_for_is_left(yard: Yard, leader: Leader, crowded: tuple[str, str]) -> None:
    other, elastic = crowded
    waiting = yard.submit(FOREVER, workers=4)
    leader.round()
    yard.engine.finish(f"ty-{other}-1")
    leader.until(other, S.SUCCEEDED)
    for seq in range(2, 6):
        checkpoint(yard, elastic, 1, seq)
        leader.round()
    assert sizes(yard, elastic) == [(1, None)]
    assert yard.job(waiting).state is S.QUEUED


def test_a_full_one_is_left_alone(yard: Yard, leader: Leader) -> None:
    elastic = yard.submit(FOREVER, workers=2, min_workers=1)
    leader.until(elastic, S.RUNNING)
    for seq in range(2, 6):
        checkpoint(yard, elastic, 1, seq)
        leader.round()
    assert sizes(yard, elastic) == [(2, None)]


@pytest.mark.parametrize("ends", ["succeeds", "is cancelled"])
def test_what_comes_first_counts(yard: Yard, leader: Leader, crowded: tuple[str, str], ends: str) -> None:
    other, elastic = crowded
    yard.engine.finish(f"ty-{other}-1")
    leader.until(other, S.SUCCEEDED)
    leader.round()
    checkpoint(yard, elastic, 1)
    if ends == "succeeds":
        yard.engine.finish(f"ty-{elastic}-1")
    else:
        yard.repository.request_cancel(elastic)
    job = leader.until(elastic, S.SUCCEEDED, S.CANCELLED, S.FAILED)
    assert (job.state, job.attempt) == (S.SUCCEEDED if ends == "succeeds" else S.CANCELLED, 1)
