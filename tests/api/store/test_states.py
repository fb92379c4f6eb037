"""The state machine: every pair of states, in the table and through the store."""

import itertools

import pytest
from tests.support.jobs import new_job

from trainyard_api.store.errors import NotFound, StateConflict
from trainyard_api.store.repository import Repository
from trainyard_api.store.states import ACTIVE, TERMINAL, TRANSITIONS, JobState, may_go

S = JobState
ALLOWED = {
    (S.QUEUED, S.STARTING),
    (S.QUEUED, S.CANCELLED),
    (S.QUEUED, S.FAILED),
    (S.STARTING, S.RUNNING),
    (S.STARTING, S.SUCCEEDED),
    (S.STARTING, S.FAILED),
    (S.STARTING, S.CANCELLED),
    (S.STARTING, S.RETRYING),
    (S.RUNNING, S.SUCCEEDED),
    (S.RUNNING, S.FAILED),
    (S.RUNNING, S.CANCELLED),
    (S.RUNNING, S.RETRYING),
    (S.RETRYING, S.STARTING),
    (S.RETRYING, S.CANCELLED),
    (S.RETRYING, S.FAILED),
    (S.FAILED, S.RETRYING),
    (S.CANCELLED, S.RETRYING),
}


def test_every_state_is_active_or_terminal_and_in_the_table() -> None:
    assert set(TRANSITIONS) == set(JobState) == ACTIVE | TERMINAL
    assert not ACTIVE & TERMINAL


def test_the_table_allows_exactly_the_listed_steps() -> None:
    assert {pair for pair in itertools.product(JobState, repeat=2) if may_go(*pair)} == ALLOWED


def test_the_store_takes_exactly_the_allowed_steps(repository: Repository) -> None:
    for source, target in itertools.product(JobState, repeat=2):
        job, _ = repository.create_job(new_job())
        repository.update_job(job.id, state_name=source.value)
        if (source, target) in ALLOWED:
            moved = repository.transition(job.id, source, target, reason="why")
            assert (moved.state, moved.reason) == (target, "why")
            assert (moved.finished_at is not None) == (target in TERMINAL)
            names = [(event.kind, event.name) for event in repository.list_events(job.id)]
            assert names == [("stage", "accepted"), ("state", target.value)] + [("stage", "finished")] * (target in TERMINAL)
        else:
            with pytest.raises(StateConflict):
                repository.transition(job.id, source, target)
            assert repository.get_job(job.id).state is source
            assert len(repository.list_events(job.id)) == 1


def test_a_step_from_a_state_that_the_job_has_left_is_refused(repository: Repository) -> None:
    job, _ = repository.create_job(new_job())
    repository.transition(job.id, S.QUEUED, S.CANCELLED)
    with pytest.raises(StateConflict) as conflict:
        repository.transition(job.id, S.QUEUED, S.STARTING)
    assert (conflict.value.current, conflict.value.target) == (S.CANCELLED, S.STARTING)


def test_a_step_of_a_job_that_is_gone_is_not_found(repository: Repository) -> None:
    with pytest.raises(NotFound):
        repository.transition("nobody", S.QUEUED, S.STARTING)
