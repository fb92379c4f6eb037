"""With 100,000 jobs, lists and the controller's own questions read an index instead of the table."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from tests.support.databases import DIALECTS, migrated_database

from trainyard_api.store.database import Database
from trainyard_api.store.paging import JobQuery
from trainyard_api.store.repository import Repository
from trainyard_api.store.states import JobState

JOBS = 100_000

_FILL = """
INSERT INTO jobs (id, name, template, state, parameters, tags, spec, resources, retries, attempt, attempts_before_retry,
                  created_at, settled_at)
SELECT {id}, 'job ' || n, CASE WHEN n % 5000 = 0 THEN 'rare' ELSE 'script' END,
       CASE WHEN n > {jobs} - 20 THEN 'QUEUED' WHEN n % 4000 = 0 THEN 'FAILED' ELSE 'SUCCEEDED' END,
       '{{}}', '{{}}', '{{}}', '{{"workers": 1}}', 0, 1, 0, {created}, CASE WHEN n > {jobs} - 20 THEN NULL ELSE {created} END
FROM {numbers}
"""
_TAGS = """
INSERT INTO job_tags (job_id, key, value) SELECT {id}, 'team', CASE WHEN n % 5000 = 0 THEN 'rare' ELSE 'common' END FROM {numbers}
"""
_ATTEMPTS = """
INSERT INTO attempts (job_id, number, submission_id, workers, created_at, cleaned_at)
SELECT {id}, 1, {id}, 1, {created}, CASE WHEN n > {jobs} - 5 THEN NULL ELSE {created} END FROM {numbers}
"""
_WORDS = {
    "sqlite": {
        "id": "printf('%06d', n)",
        "created": "datetime('2026-01-01', '+' || n || ' seconds') || '.000000'",
        "numbers": f"(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {JOBS}) SELECT n FROM c)",
    },
    "postgresql": {
        "id": "lpad(n::text, 6, '0')",
        "created": "timestamptz '2026-01-01' + n * interval '1 second'",
        "numbers": f"generate_series(1, {JOBS}) AS n",
    },
}


@pytest.fixture(scope="module", params=DIALECTS)
def repository(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """100,000 finished jobs but for twenty."""
    folder: Path = tmp_path_factory.mktemp("plans")
    with migrated_database(request.param, folder, request) as database:
        with database.write() as session:
            for statement in (_FILL, _TAGS, _ATTEMPTS):
                session.execute(text(statement.format(jobs=JOBS, **_WORDS[request.param]).replace(":", r"\:")))
        if database.dialect == "postgresql":  # which does so itself, by and by; SQLite never does
            with database.write() as session:
                session.execute(text("ANALYZE"))
        yield Repository(database)


def plans(database: Database, ask: Callable[[], Any]) -> str:
    """How the database answers every query that ``ask`` makes."""
    asked: list[tuple[str, Any]] = []

    def remember(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", remember)
    try:
        ask()
    finally:
        event.remove(database.engine, "before_cursor_execute", remember)
    explain = "EXPLAIN QUERY PLAN" if database.dialect == "sqlite" else "EXPLAIN"
    with database.engine.connect() as connection:
        rows = [row for statement, parameters in asked for row in connection.exec_driver_sql(f"{explain} {statement}", parameters)]
    return "\n".join(str(row[-1]) for row in rows)


HOUR = {"created_after": datetime(2026, 1, 1, 5, tzinfo=UTC), "created_before": datetime(2026, 1, 1, 6, tzinfo=UTC)}
DAY = {"created_after": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=1)}
LISTS = {
    "newest": (JobQuery(), "ix_jobs_created_at_id"),
    "oldest": (JobQuery(sort="created_at"), "ix_jobs_created_at_id"),
    "by name": (JobQuery(sort="name"), "ix_jobs_name_id"),
    "by state": (JobQuery(sort="-state"), "ix_jobs_state_created_at_id"),
    "rare state": (JobQuery(states=[JobState.FAILED]), "ix_jobs_state_created_at_id"),
    "rare template": (JobQuery(template="rare"), "ix_jobs_template_created_at_id"),
    "team": (JobQuery(team="default"), "ix_jobs_"),
    "of an hour": (JobQuery(**HOUR), "ix_jobs_created_at_id"),
    "of an hour, oldest first": (JobQuery(**HOUR, sort="created_at"), "ix_jobs_created_at_id"),
    "of a day, rare template": (JobQuery(**DAY, template="rare"), "ix_jobs_template_created_at_id"),
    "of a day, rare state": (JobQuery(**DAY, states=[JobState.FAILED]), "ix_jobs_state_created_at_id"),
    "rare tag": (JobQuery(tags=[("team", "rare")]), "ix_job_tags_key_value_job_id"),
}


@pytest.mark.parametrize("name", LISTS)
def test_first_and_later_pages_come_from_an_index(repository: Repository, name: str) -> None:
    query, index = LISTS[name]
    page = repository.list_jobs(JobQuery(**{**vars(query), "limit": 5}))
    assert len(page.items) == 5
    assert page.next_cursor
    for cursor in (None, page.next_cursor):
        plan = plans(repository.database, lambda cursor=cursor: repository.list_jobs(JobQuery(**{**vars(query), "cursor": cursor})))
        assert index in plan, plan
        assert "Seq Scan" not in plan
        if name != "rare tag":  # its few rows are found by the tag and sorted afterwards
            assert "Sort" not in plan, plan
            assert "TEMP B-TREE" not in plan, plan


def test_a_late_page_starts_at_its_row(repository: Repository) -> None:
    """The cursor is looked up in the index: no earlier row is read."""
    page = repository.list_jobs(JobQuery(sort="created_at", limit=10))
    plan = plans(repository.database, lambda: repository.list_jobs(JobQuery(sort="created_at", cursor=page.next_cursor)))
    assert ("(created_at,id)>(?,?)" in plan) or "Index Cond: (ROW(created_at" in plan, plan


def test_the_controllers_questions_read_only_what_is_open(repository: Repository) -> None:
    for ask, index, count in (
        (repository.jobs_to_track, "ix_jobs_unsettled", 20),
        (repository.waiting_jobs, "ix_jobs_", 20),
        (repository.uncleaned_attempts, "ix_attempts_uncleaned", 5),
        (repository.known_submissions, "ix_attempts_uncleaned", 5),
    ):
        assert len(ask()) == count
        plan = plans(repository.database, ask)
        assert index in plan, plan
        assert "Seq Scan" not in plan, plan
