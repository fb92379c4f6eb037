"""Accepting jobs once, and what users may do to them in which state."""

from datetime import timedelta

import pytest
from tests.support.jobs import new_job
from tests.support.threads import at_once

from trainyard_api.store.errors import InUse, KeyReused, NotFound, StateConflict
from trainyard_api.store.models import Upload, utcnow
from trainyard_api.store.paging import JobQuery
from trainyard_api.store.repository import Repository
from trainyard_api.store.states import JobState

S = JobState


def test_an_accepted_job_comes_back_as_it_was_given(repository: Repository) -> None:
    given = new_job(tags={"team": "vision", "e": "é\u2028"}, parameters={"nested": {"a": [1, None]}}, retries=3, deadline_seconds=60)
    job, new = repository.create_job(given)
    assert new
    found = repository.get_job(job.id)
    assert {name: getattr(found, name) for name in vars(given)} == vars(given)
    assert (found.state, found.attempt, found.finished_at, found.settled_at) == (S.QUEUED, 0, None, None)
    assert utcnow() - found.created_at < timedelta(minutes=1)
    [event] = repository.list_events(job.id)
    assert (event.kind, event.name, event.attempt, event.time) == ("stage", "accepted", 0, found.created_at)


@pytest.mark.parametrize("job_id", ["nobody", "", "x\0y", "x" * 500])
def test_a_job_that_is_not_there_is_not_found(repository: Repository, job_id: str) -> None:
    for action in (repository.get_job, repository.request_cancel, repository.request_retry, repository.delete_job, repository.list_events):
        with pytest.raises(NotFound):
            action(job_id)


def test_a_repeated_key_gives_the_same_job(repository: Repository) -> None:
    first, new = repository.create_job(new_job(), key="k", fingerprint="body")
    again, new_again = repository.create_job(new_job(), key="k", fingerprint="body")
    assert (new, new_again, again.id) == (True, False, first.id)
    other, _ = repository.create_job(new_job(), key="K", fingerprint="body")
    assert other.id != first.id


def test_a_key_with_another_body_is_refused_and_makes_nothing(repository: Repository) -> None:
    repository.create_job(new_job(), key="k", fingerprint="body")
    with pytest.raises(KeyReused):
        repository.create_job(new_job(), key="k", fingerprint="other")
    assert len(repository.list_jobs(JobQuery()).items) == 1


def test_one_key_from_many_threads_makes_one_job(repository: Repository) -> None:
    answers = at_once(8, lambda _: repository.create_job(new_job(), key="k", fingerprint="body"))
    assert len({job.id for job, _ in answers}) == 1
    assert sum(new for _, new in answers) == 1
    assert len(repository.list_jobs(JobQuery()).items) == 1


def test_a_key_is_free_again_when_its_job_is_deleted(repository: Repository) -> None:
    job, _ = repository.create_job(new_job(), key="k", fingerprint="body")
    settle(repository, repository.request_cancel(job.id).id)
    repository.delete_job(job.id)
    again, new = repository.create_job(new_job(), key="k", fingerprint="other")
    assert new
    assert again.id != job.id


def settle(repository: Repository, job_id: str) -> None:
    repository.settle_job(job_id, repository.get_job(job_id).finished_at)


def test_cancel_before_the_start_is_immediate(repository: Repository) -> None:
    job, _ = repository.create_job(new_job())
    cancelled = repository.request_cancel(job.id)
    assert (cancelled.state, cancelled.reason) == (S.CANCELLED, "cancelled before it started")
    assert cancelled.finished_at is not None
    assert cancelled.attempt == 0


@pytest.mark.parametrize("state", [S.STARTING, S.RUNNING])
def test_cancel_of_a_started_job_is_a_request_that_is_made_once(repository: Repository, state: JobState) -> None:
    job, _ = repository.create_job(new_job())
    repository.start_attempt(job.id, S.QUEUED, 1)
    if state is S.RUNNING:
        repository.transition(job.id, S.STARTING, S.RUNNING)
    first = repository.request_cancel(job.id).cancel_requested_at
    again = repository.request_cancel(job.id)
    assert (again.state, again.cancel_requested_at) == (state, first)
    assert first is not None
    assert [event.name for event in repository.list_events(job.id)].count("cancel requested") == 1


@pytest.mark.parametrize("state", sorted(JobState))
def test_retry_takes_failed_and_cancelled_jobs_only(repository: Repository, state: JobState) -> None:
    job, _ = repository.create_job(new_job())
    repository.update_job(
        job.id, state_name=state.value, attempt=4, finished_at=utcnow(), settled_at=utcnow(), cancel_requested_at=utcnow()
    )
    if state in (S.FAILED, S.CANCELLED):
        retried = repository.request_retry(job.id)
        assert (retried.state, retried.attempts_before_retry) == (S.RETRYING, 4)
        assert (retried.finished_at, retried.settled_at, retried.cancel_requested_at) == (None, None, None)
        assert [waiting.id for waiting in repository.waiting_jobs()] == [job.id]
    else:
        with pytest.raises(StateConflict, match="only FAILED and CANCELLED jobs can be retried"):
            repository.request_retry(job.id)


@pytest.mark.parametrize("state", sorted(JobState))
def test_delete_takes_finished_jobs_only(repository: Repository, state: JobState) -> None:
    job, _ = repository.create_job(new_job())
    repository.update_job(job.id, state_name=state.value, settled_at=utcnow())
    if state in (S.SUCCEEDED, S.FAILED, S.CANCELLED):
        repository.delete_job(job.id)
        with pytest.raises(NotFound):
            repository.get_job(job.id)
    else:
        with pytest.raises(InUse, match="cancel it first"):
            repository.delete_job(job.id)


def test_delete_waits_for_the_processes_and_for_mlflow(repository: Repository) -> None:
    job, _ = repository.create_job(new_job(tags={"a": "b"}))
    started, attempt = repository.start_attempt(job.id, S.QUEUED, 1)
    repository.finish_attempt(started, S.FAILED, outcome="failed", reason="why")
    with pytest.raises(InUse, match="processes"):
        repository.delete_job(job.id)
    repository.update_attempt(job.id, attempt.number, cleaned_at=utcnow())
    with pytest.raises(InUse, match="MLflow"):
        repository.delete_job(job.id)
    settle(repository, job.id)
    repository.delete_job(job.id)
    assert repository.get_attempt(job.id, 1) is None
    assert repository.list_jobs(JobQuery(tags=[("a", "b")])).items == []


def test_a_job_is_kept_while_an_active_one_resumes_from_it(repository: Repository) -> None:
    source, _ = repository.create_job(new_job())
    repository.request_cancel(source.id)
    settle(repository, source.id)
    resumed, _ = repository.create_job(new_job(resume_job=source.id, resume_step=10**12 - 1, checkpoints={"keep": 3}))
    found = repository.get_job(resumed.id)
    assert (found.resume_job, found.resume_step, found.checkpoints) == (source.id, 10**12 - 1, {"keep": 3})
    with pytest.raises(InUse, match=f"job {resumed.id} resumes from"):
        repository.delete_job(source.id)
    repository.request_cancel(resumed.id)
    repository.delete_job(source.id)
    with pytest.raises(NotFound):
        repository.create_job(new_job(resume_job=source.id, resume_step=1))
    assert [job.id for job in repository.list_jobs(JobQuery()).items] == [resumed.id]


def test_a_job_retried_meanwhile_is_not_settled(repository: Repository) -> None:
    job, _ = repository.create_job(new_job())
    first_end = repository.request_cancel(job.id).finished_at
    repository.request_retry(job.id)
    repository.settle_job(job.id, first_end)
    repository.request_cancel(job.id)
    repository.settle_job(job.id, first_end)
    assert [left.id for left in repository.jobs_to_track()] == [job.id]


def test_jobs_to_track_are_those_whose_run_may_lack_something(repository: Repository) -> None:
    def tracked() -> bool:
        return [left.id for left in repository.jobs_to_track()] == [job.id]

    job, _ = repository.create_job(new_job())
    assert tracked()  # the run itself
    repository.update_job(job.id, mlflow_run_id="run")
    assert not tracked()
    started, _ = repository.start_attempt(job.id, JobState.QUEUED, 1)
    assert not tracked()
    repository.finish_attempt(started, JobState.RETRYING, outcome="failed", reason="lost")
    assert tracked()  # what the lost attempt left
    repository.start_attempt(job.id, JobState.RETRYING, 1)
    assert tracked()  # that it goes on
    repository.request_cancel(job.id)
    repository.transition(job.id, JobState.STARTING, JobState.CANCELLED, finished_at=utcnow())
    assert tracked()  # its end
    repository.settle_job(job.id, repository.get_job(job.id).finished_at)
    assert not tracked()


def test_waiting_jobs_are_the_oldest_first_and_leave_out_backoff(repository: Repository) -> None:
    jobs = [repository.create_job(new_job())[0] for _ in range(3)]
    repository.update_job(jobs[1].id, not_before=utcnow() + timedelta(minutes=1))
    repository.explain_waiting(jobs[2].id, "asks for too much")
    assert [(job.id, job.reason) for job in repository.waiting_jobs()] == [(jobs[0].id, None), (jobs[2].id, "asks for too much")]
    repository.request_cancel(jobs[2].id)
    repository.explain_waiting(jobs[2].id, "too late")
    assert repository.get_job(jobs[2].id).reason == "cancelled before it started"


def test_cancel_and_start_at_once_leave_one_winner(repository: Repository) -> None:
    def cancel_or_start(number: int, job_id: str) -> str:
        try:
            if number:
                repository.request_cancel(job_id)
                return "cancelled"
            repository.start_attempt(job_id, S.QUEUED, 1)
            return "started"
        except StateConflict:
            return "conflict"

    for _ in range(10):
        job, _ = repository.create_job(new_job())
        answers = at_once(2, lambda number, job_id=job.id: cancel_or_start(number, job_id))
        after = repository.get_job(job.id)
        if after.state is S.CANCELLED:
            assert answers == ["conflict", "cancelled"]
            assert after.attempt == 0
        else:
            assert answers == ["started", "cancelled"]
            assert after.cancel_requested_at is not None


def test_counts_name_every_state(repository: Repository) -> None:
    repository.create_job(new_job())
    repository.request_cancel(repository.create_job(new_job())[0].id)
    counts = repository.count_by_state()
    assert (counts[S.QUEUED], counts[S.CANCELLED], sum(counts.values()), set(counts)) == (1, 1, 2, set(JobState))


def test_the_same_upload_from_many_threads_is_one_row(repository: Repository) -> None:
    def upload(number: int) -> Upload:
        row = Upload(kind="code", id="a" * 64, name=f"{number}.zip", key="code/a.zip", size=1, files=["train.py"], created_at=utcnow())
        return repository.add_upload(row)

    assert len({row.name for row in at_once(6, upload)}) == 1
    [row] = repository.list_uploads("code")
    assert row.files == ["train.py"]
    assert repository.get_upload("code", "a" * 64).name == row.name
    assert repository.list_uploads("data") == []
    for missing in ("b", "\0"):
        with pytest.raises(NotFound):
            repository.get_upload("code", missing)


def test_the_capacity_row_is_overwritten(repository: Repository) -> None:
    assert repository.get_capacity() is None
    repository.save_capacity("memory", {"cpus": 1})
    repository.save_capacity("memory", {"cpus": 2})
    row = repository.get_capacity()
    assert row is not None
    assert row.detail == {"cpus": 2}
