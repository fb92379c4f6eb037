"""One leader at a time, and no write of one that has lost the lead."""

from collections.abc import Callable

import pytest
from tests.support.jobs import new_job
from tests.support.threads import at_once
from tests.support.waiting import wait_for

from trainyard_api.store import lease as leases
from trainyard_api.store.database import Database
from trainyard_api.store.errors import LeaseLost
from trainyard_api.store.lease import Lease
from trainyard_api.store.models import utcnow
from trainyard_api.store.repository import Repository, TrainerEvent
from trainyard_api.store.states import JobState


def taken(database: Database, owner: str, seconds: float = 60) -> Lease:
    lease = leases.acquire(database, owner, seconds=seconds)
    assert lease is not None
    return lease


def test_only_one_holds_it_and_release_frees_it(database: Database) -> None:
    assert not leases.is_led(database)
    first = taken(database, "a")
    assert leases.is_led(database)
    assert leases.acquire(database, "b", seconds=60) is None
    leases.release(database, first)
    assert not leases.is_led(database)
    assert taken(database, "b").token > first.token


def test_it_runs_out_unless_renewed(database: Database) -> None:
    first = taken(database, "a", seconds=0.2)
    leases.renew(database, first, seconds=60)
    assert leases.acquire(database, "b", seconds=60) is None
    leases.renew(database, first, seconds=0.1)
    second = wait_for("the lease to run out", lambda: leases.acquire(database, "b", seconds=60))
    with pytest.raises(LeaseLost):
        leases.renew(database, first, seconds=60)
    leases.release(database, first)  # an old holder cannot give away what is not its own
    assert leases.acquire(database, "c", seconds=60) is None
    leases.renew(database, second, seconds=60)


def test_the_same_owner_started_again_fences_off_its_former_self(database: Database) -> None:
    first = taken(database, "a")
    taken(database, "a")
    with pytest.raises(LeaseLost):
        leases.renew(database, first, seconds=60)


def test_of_many_that_start_together_one_leads(database: Database) -> None:
    got = at_once(8, lambda number: leases.acquire(database, f"owner {number}", seconds=60))
    assert len([lease for lease in got if lease is not None]) == 1


WRITES: dict[str, Callable[[Repository, str, Lease], object]] = {
    "transition": lambda r, job, lease: r.transition(job, JobState.STARTING, JobState.RUNNING, lease=lease),
    "update_job": lambda r, job, lease: r.update_job(job, lease=lease, reason="late"),
    "explain_waiting": lambda r, job, lease: r.explain_waiting(job, "late", lease=lease),
    "settle_job": lambda r, job, lease: r.settle_job(job, None, lease=lease),
    "start_attempt": lambda r, job, lease: r.start_attempt(job, JobState.QUEUED, 1, lease=lease),
    "update_attempt": lambda r, job, lease: r.update_attempt(job, 1, lease=lease, reason="late"),
    "finish_attempt": lambda r, job, lease: r.finish_attempt(r.get_job(job), JobState.FAILED, outcome="failed", reason="late", lease=lease),
    "add_trainer_events": lambda r, job, lease: r.add_trainer_events(job, 1, [TrainerEvent(1, utcnow(), "stage", "late", {})], lease=lease),
    "save_capacity": lambda r, _, lease: r.save_capacity("late", {}, lease=lease),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_lost_leaders_write_is_refused_and_changes_nothing(database: Database, repository: Repository, write: str) -> None:
    job, _ = repository.create_job(new_job())
    repository.start_attempt(job.id, JobState.QUEUED, 1)
    old = taken(database, "old", seconds=0.01)
    new = wait_for("the takeover", lambda: leases.acquire(database, "new", seconds=60))
    before = (vars_of(repository, job.id), len(repository.list_events(job.id)))
    with pytest.raises(LeaseLost):
        WRITES[write](repository, job.id, old)
    assert (vars_of(repository, job.id), len(repository.list_events(job.id))) == before
    assert repository.get_capacity() is None
    if write not in ("start_attempt", "explain_waiting"):
        WRITES[write](repository, job.id, new)
        assert (
            (vars_of(repository, job.id), len(repository.list_events(job.id))) != before
            or repository.get_capacity()
            or write == "settle_job"
        )


def vars_of(repository: Repository, job_id: str) -> list[tuple[object, ...]]:
    rows = [repository.get_job(job_id), *repository.list_attempts(job_id)]
    return [tuple(getattr(row, column.key) for column in row.__mapper__.column_attrs) for row in rows]
