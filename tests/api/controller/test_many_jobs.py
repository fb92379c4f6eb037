"""Fifty jobs at once, through a real controller: all end, none is lost or doubled, and lists stay right meanwhile."""

import threading
from pathlib import Path

import pytest
from tests.support.databases import DIALECTS, migrated_database
from tests.support.jobs import new_job
from tests.support.leading import Yard
from tests.support.mlflow_stub import MlflowStub
from tests.support.threads import at_once
from tests.support.waiting import wait_for

from trainyard_api.engines.memory import Script
from trainyard_api.store.paging import JobQuery
from trainyard_api.store.repository import Repository
from trainyard_api.store.states import TERMINAL, JobState

COUNT = 50


def listed(repository: Repository) -> list[str]:
    seen: list[str] = []
    cursor = None
    while True:
        page = repository.list_jobs(JobQuery(limit=7, cursor=cursor))
        seen += [job.id for job in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return seen


@pytest.mark.parametrize("dialect", DIALECTS)
def test_fifty_jobs_at_once(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    mlflow = MlflowStub()
    request.addfinalizer(mlflow.close)
    with migrated_database(dialect, tmp_path, request) as database:
        yard = Yard(tmp_path, database, mlflow)
        stop = threading.Event()
        controller = threading.Thread(target=yard.controller().run, args=(stop,))
        controller.start()
        try:
            jobs = [new_job() for _ in range(COUNT)]
            for number, given in enumerate(jobs):
                yard.scripts[given.id] = lambda _, number=number: Script(failure="it failed" if number % 10 == 0 else None)

            def submit(number: int) -> tuple[str, list[str]]:
                """Twice with one key, as a client does that lost the first answer; then look at the list."""
                first, _ = yard.repository.create_job(jobs[number], key=f"key {number}", fingerprint="body")
                again, new = yard.repository.create_job(new_job(), key=f"key {number}", fingerprint="body")
                assert (again.id, new) == (first.id, False)
                return first.id, listed(yard.repository)

            answers = at_once(COUNT, submit)
            for job_id, seen in answers:
                assert job_id in seen
                assert len(seen) == len(set(seen))
            ids = {given.id for given in jobs}
            assert sorted(listed(yard.repository)) == sorted(ids)
            wait_for("every job to be settled", lambda: all(yard.job(job_id).settled_at for job_id in ids), seconds=60, every=0.1)
        finally:
            stop.set()
            controller.join(timeout=30)
        assert sorted(listed(yard.repository)) == sorted(ids)
        ended = [yard.job(job_id) for job_id in ids]
        assert all(job.state in TERMINAL and job.attempt == 1 for job in ended)
        assert yard.repository.count_by_state()[JobState.FAILED] == COUNT // 10
        assert sorted(yard.engine.submitted) == sorted(f"ty-{job_id}-1" for job_id in ids)
        assert yard.repository.uncleaned_attempts() == []
        assert sorted(run.tags["trainyard.job_id"] for run in mlflow.runs.values()) == sorted(ids)
        assert {run.status for run in mlflow.runs.values()} == {"FINISHED", "FAILED"}
