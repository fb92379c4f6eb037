"""Attempts and timelines."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import inspect, text
from tests.support.jobs import new_job

from trainyard_api.store.database import Database
from trainyard_api.store.errors import NotFound, StateConflict
from trainyard_api.store.models import utcnow
from trainyard_api.store.repository import Repository, TrainerEvent
from trainyard_api.store.states import JobState

S = JobState


def event(seq: int, name: str = "first_step") -> TrainerEvent:
    return TrainerEvent(seq, utcnow(), "stage", name, {"seq": seq})


def test_attempts_are_numbered_and_each_holds_resources_until_it_is_cleaned_up(repository: Repository) -> None:
    job, _ = repository.create_job(new_job())
    started, first = repository.start_attempt(job.id, S.QUEUED, 2)
    assert (started.state, first.number, first.submission_id, first.workers) == (S.STARTING, 1, f"ty-{job.id}-1", 2)
    moved = repository.finish_attempt(started, S.RETRYING, outcome="failed", reason="why", failed_rank=1, tail=["a", "\u0000b"])
    assert (moved.state, moved.reason, moved.started_at is not None) == (S.RETRYING, "why", True)
    _, second = repository.start_attempt(job.id, S.RETRYING, 1)
    assert [attempt.number for _, attempt in repository.uncleaned_attempts()] == [1, 2]
    repository.update_attempt(job.id, 2, handle={"submission_id": "another's"})
    assert repository.known_submissions() == {first.submission_id, second.submission_id, "another's"}
    repository.update_attempt(job.id, 1, cleaned_at=utcnow())
    [(owner, left)] = repository.uncleaned_attempts()
    assert (owner.id, left.submission_id) == (job.id, second.submission_id)
    stored = repository.list_attempts(job.id)[0]
    assert (stored.outcome, stored.reason, stored.failed_rank, stored.tail) == ("failed", "why", 1, ["a", "\u0000b"])


def test_what_jobs_run_is_not_read_with_all_that_may_run(repository: Repository) -> None:
    job, _ = repository.create_job(new_job())
    repository.start_attempt(job.id, S.QUEUED, 1)
    [(owner, _)] = repository.uncleaned_attempts()
    assert {"spec", "parameters"} <= inspect(owner).unloaded
    assert repository.get_job(owner.id).spec == job.spec


def test_an_attempt_of_a_job_that_has_moved_on_is_not_started(repository: Repository) -> None:
    job, _ = repository.create_job(new_job())
    repository.request_cancel(job.id)
    with pytest.raises(StateConflict):
        repository.start_attempt(job.id, S.QUEUED, 1)
    assert repository.list_attempts(job.id) == []
    assert repository.get_job(job.id).attempt == 0


def test_an_attempt_ends_together_with_the_step_of_its_job_or_not_at_all(repository: Repository) -> None:
    job, _ = repository.create_job(new_job())
    started, _ = repository.start_attempt(job.id, S.QUEUED, 1)
    repository.transition(job.id, S.STARTING, S.RUNNING)
    with pytest.raises(StateConflict):
        repository.finish_attempt(started, S.FAILED, outcome="failed", reason="why")
    attempt = repository.get_attempt(job.id, 1)
    assert attempt is not None
    assert attempt.finished_at is None


def test_events_are_taken_over_once(repository: Repository) -> None:
    job, _ = repository.create_job(new_job())
    repository.start_attempt(job.id, S.QUEUED, 1)
    repository.add_trainer_events(job.id, 1, [event(1), event(2)])
    repository.add_trainer_events(job.id, 1, [event(2, "again"), event(3)])
    repository.add_trainer_events(job.id, 2, [event(1)])
    repository.add_trainer_events(job.id, 1, [])
    taken = [(entry.attempt, entry.seq, entry.name) for entry in repository.list_events(job.id) if entry.seq is not None]
    assert taken == [(1, 1, "first_step"), (1, 2, "first_step"), (1, 3, "first_step"), (2, 1, "first_step")]


def test_thousands_of_events_at_once(repository: Repository) -> None:
    job, _ = repository.create_job(new_job())
    repository.add_trainer_events(job.id, 1, [event(seq) for seq in range(10_000)])
    first = repository.list_events(job.id)
    assert len(first) == 1000
    assert len(repository.list_events(job.id, after=first[-1].id, limit=20_000)) == 9001


def test_events_of_a_job_that_is_gone_are_not_found(repository: Repository) -> None:
    with pytest.raises(NotFound):
        repository.add_trainer_events("nobody", 1, [event(1)])


def test_times_keep_their_microseconds_and_zone(repository: Repository) -> None:
    job, _ = repository.create_job(new_job())
    moment = utcnow().replace(microsecond=123456)
    repository.add_trainer_events(job.id, 1, [TrainerEvent(1, moment, "stage", "x", {})])
    stored = repository.list_events(job.id)[-1].time
    assert stored == moment
    assert stored.utcoffset() == timedelta(0)


def test_a_timeline_grows_at_its_end_only(database: Database, repository: Repository) -> None:
    """A reader that follows ids must not miss an entry whose writer started earlier and committed later."""
    job, _ = repository.create_job(new_job())
    repository.start_attempt(job.id, S.QUEUED, 1)
    with database.write() as session:  # a writer in the middle of its transaction, with the job's row
        session.execute(text("UPDATE jobs SET reason = reason WHERE id = :id"), {"id": job.id})
        adding = threading.Thread(target=repository.add_trainer_events, args=(job.id, 1, [event(1)]))
        adding.start()
        adding.join(timeout=0.3)
        assert adding.is_alive()
    adding.join(timeout=30)
    assert not adding.is_alive()
    assert repository.list_events(job.id)[-1].seq == 1
