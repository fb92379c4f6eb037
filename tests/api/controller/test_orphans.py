"""What runs and belongs to no job on record: ended after a while, never before; what is on record stays."""

import logging

import pytest
from sqlalchemy import delete
from tests.support.engines import submission
from tests.support.leading import HASTE, Leader, Yard

from trainyard_api.engines.base import EngineUnavailable
from trainyard_api.engines.memory import Script
from trainyard_api.store.models import Attempt, WarmCluster
from trainyard_api.store.states import JobState as S

FOREVER = Script(seconds=None)


def forget(yard: Yard, job_id: str) -> None:
    """What a restored database does to a younger job."""
    with yard.database.write() as session:
        session.execute(delete(Attempt).where(Attempt.job_id == job_id))


def test_what_belongs_to_no_job_is_told_of_and_ended(yard: Yard, leader: Leader, caplog: pytest.LogCaptureFixture) -> None:
    kept, lost = yard.submit(FOREVER), yard.submit(FOREVER)
    for job_id in (kept, lost):
        leader.until(job_id, S.RUNNING)
    leader.term.end()
    forget(yard, lost)
    caplog.set_level(logging.WARNING)
    leader = yard.lead()
    leader.round()
    name = f"ty-{lost}-1"
    assert f"{name} runs and belongs to no job on record; it is ended in 0.3 s" in caplog.text
    assert name in yard.engine.known
    assert not yard.engine.stops
    leader.until_true("it to be gone", lambda: name not in yard.engine.known)
    assert yard.engine.stops == [name]
    assert f"{name} belonged to no job on record: removed" in caplog.text
    assert yard.job(kept).state is S.RUNNING
    assert yard.engine.known == [f"ty-{kept}-1"]


def test_a_warm_cluster_without_a_row_is_ended(yard: Yard) -> None:
    yard.set_teams([{"name": "default", "warm": [{"idleMinutes": None}]}])
    leader = yard.lead()
    leader.until_true("a warm cluster", yard.repository.warm_clusters)
    leader.until_true("its engine job", lambda: yard.engine.known)
    [lost] = yard.engine.known
    with yard.database.write() as session:
        session.execute(delete(WarmCluster))
    leader.until_true("it to be gone, and another in its place", lambda: yard.engine.known and lost not in yard.engine.known)


def test_attempts_that_go_on_in_place_and_those_that_were_just_submitted_are_left_alone(yard: Yard, leader: Leader) -> None:
    def course(attempt: int) -> Script:
        return Script(failure="a rank was lost", kind="infrastructure", stands_by=True) if attempt == 1 else FOREVER  # type: ignore[arg-type]

    job_id = yard.submit(course)
    leader.until_true("the second attempt", lambda: len(yard.attempts(job_id)) == 2)
    leader.until(job_id, S.RUNNING)
    begun = leader.yard.engine.known
    for _ in range(50):
        leader.round()
    assert yard.engine.known == begun
    assert not yard.engine.stops


def test_an_engine_that_does_not_answer_ends_no_round(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> list[dict[str, str]]:
        raise EngineUnavailable("Ray does not answer")

    monkeypatch.setattr(yard.engine, "submissions", away)
    job_id = yard.submit()
    leader.until(job_id, S.SUCCEEDED)


def test_one_that_gets_a_row_in_time_is_not_ended(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a restored database is brought up to date."""
    given = submission({})
    yard.scripts[given.job_id] = lambda _: FOREVER
    yard.engine.submit(given)
    leader.round()
    known = leader.steps._known_submissions
    monkeypatch.setattr(leader.steps, "_known_submissions", lambda: {*known(), given.submission_id})
    leader.round()
    monkeypatch.undo()
    leader.round()
    assert not yard.engine.stops, f"its {HASTE.orphan} s began anew when it had a row"
