"""Lists of jobs: order, filters, and pages that stay right while jobs come and go."""

import base64
import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.jobs import new_job
from tests.support.threads import at_once

from trainyard_api.store.models import utcnow
from trainyard_api.store.paging import SORTS, BadCursor, JobQuery
from trainyard_api.store.repository import Repository
from trainyard_api.store.states import JobState

EVERY_SORT = [sign + sort for sort in SORTS for sign in ("", "-")]


def every_page(repository: Repository, query: JobQuery) -> list[list[str]]:
    pages, cursor = [], None
    while True:
        page = repository.list_jobs(JobQuery(**{**vars(query), "cursor": cursor}))
        pages.append([job.id for job in page.items])
        cursor = page.next_cursor
        if cursor is None:
            return pages


def ids(repository: Repository, **query: object) -> set[str]:
    pages = every_page(repository, JobQuery(**query))
    found = [job_id for page in pages for job_id in page]
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize("sort", EVERY_SORT)
def test_pages_hold_every_job_once_in_order(repository: Repository, sort: str) -> None:
    names = ["b", "a", "b", "a", "c", "b", "Z"]
    made = [repository.create_job(new_job(name=name))[0] for name in names]
    moment = utcnow()
    for job in made[:4]:  # equal in all that is sorted by: the id decides
        repository.update_job(job.id, created_at=moment)
    for job in made[2:5]:
        repository.update_job(job.id, state_name="FAILED")
    whole = every_page(repository, JobQuery(sort=sort, limit=100))
    assert len(whole) == 1
    assert set(whole[0]) == {job.id for job in made}
    for limit in (1, 2, 3, 7):
        pages = every_page(repository, JobQuery(sort=sort, limit=limit))
        assert [job_id for page in pages for job_id in page] == whole[0]
        assert all(len(page) == limit for page in pages[:-1])
        assert pages[-1]
    opposite = sort.removeprefix("-") if sort.startswith("-") else f"-{sort}"
    assert every_page(repository, JobQuery(sort=opposite, limit=100))[0] == whole[0][::-1]


def test_newest_first_is_the_default(repository: Repository) -> None:
    made = [repository.create_job(new_job())[0].id for _ in range(3)]
    assert [job.id for job in repository.list_jobs(JobQuery()).items] == made[::-1]


@pytest.mark.parametrize("sort", ["-created_at", "created_at"])
def test_jobs_added_and_deleted_meanwhile_neither_repeat_nor_hide_others(repository: Repository, sort: str) -> None:
    made = [repository.create_job(new_job())[0].id for _ in range(9)]
    seen: list[str] = []
    cursor = None
    for number in range(100):
        page = repository.list_jobs(JobQuery(sort=sort, limit=2, cursor=cursor))
        seen += [job.id for job in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
        if number < 4:
            repository.create_job(new_job())
        if number == 1:  # the row that the cursor stands on
            for job_id in (seen[-1], seen[0]):
                repository.settle_job(job_id, repository.request_cancel(job_id).finished_at)
                repository.delete_job(job_id)
    assert len(seen) == len(set(seen))
    assert set(made) <= set(seen)


def test_pages_are_right_while_threads_submit(repository: Repository) -> None:
    before = {repository.create_job(new_job())[0].id for _ in range(10)}

    def work(number: int) -> set[str]:
        if number < 4:
            return {repository.create_job(new_job())[0].id for _ in range(5)}
        return set.intersection(*(ids(repository, limit=3) for _ in range(5)))

    answers = at_once(6, work)
    assert all(before <= listed for listed in answers[4:])
    assert ids(repository, limit=7) == before.union(*answers[:4])


def test_filters(repository: Repository) -> None:
    a = repository.create_job(new_job(name="Digits 100%", template="script", tags={"team": "vision", "stage": "dev"}))[0].id
    b = repository.create_job(new_job(name="digits_2", tags={"team": "vision"}))[0].id
    c = repository.create_job(new_job(name="other", tags={"team": "audio", "stage": "dev"}))[0].id
    repository.request_cancel(c)
    assert ids(repository, states=[JobState.QUEUED]) == {a, b}
    assert ids(repository, states=[JobState.QUEUED, JobState.CANCELLED]) == {a, b, c}
    assert ids(repository, template="script") == {a}
    assert ids(repository, tags=[("team", "vision")]) == {a, b}
    assert ids(repository, tags=[("team", "vision"), ("stage", "dev")]) == {a}
    assert ids(repository, tags=[("team", "vision"), ("team", "audio")]) == set()
    assert ids(repository, tags=[("stage", "dev")], states=[JobState.CANCELLED], template="function") == {c}
    assert ids(repository, text="DIGITS") == {a, b}
    assert ids(repository, text="100%") == {a}
    assert ids(repository, text="s_2") == {b}
    assert ids(repository, text=a) == {a}
    assert ids(repository, text="' OR 1=1 --") == set()
    assert ids(repository, tags=[("team", "vision")], limit=1, sort="name") == {a, b}


@pytest.mark.parametrize("query", [{"text": "a\0b"}, {"template": "\0"}, {"tags": [("\0", "x")]}, {"tags": [("x", "\0")]}])
def test_nul_matches_nothing(repository: Repository, query: dict[str, object]) -> None:
    repository.create_job(new_job(tags={"x": "y"}))
    assert ids(repository, **query) == set()


def forged(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


TIME = "2026-01-01T00:00:00+00:00"


FORGED = [
    "x",
    "é",
    "====",
    "%00",
    forged({}),
    forged(None),
    forged(1),
    forged("abc"),
    forged([]),
    forged(["-created_at"]),
    forged(["-created_at", TIME]),
    forged(["-created_at", TIME, "id", "more"]),
    forged(["created_at", TIME, "id"]),
    forged(["-name", "name", "id"]),
    forged(["-created_at", 5, "id"]),
    forged(["-created_at", TIME, 5]),
    forged(["-created_at", TIME, None]),
    forged(["-created_at", "yesterday", "id"]),
    forged(["-created_at", "2026-01-01T00:00:00", "id"]),
    forged(["-created_at", "0001-01-01T00:00:00+23:59", "id"]),
    forged(["-created_at", TIME, "a\0b"]),
    forged(["-created_at", TIME, "\ud800"]),
    base64.urlsafe_b64encode(b"[" * 3000).decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
]


def test_forged_cursors_are_refused(repository: Repository) -> None:
    repository.create_job(new_job())
    for cursor in FORGED:
        with pytest.raises(BadCursor):
            repository.list_jobs(JobQuery(cursor=cursor))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cursor=st.one_of(st.text(max_size=40), st.lists(st.one_of(st.text(), st.none(), st.integers(), st.just("-name"))).map(forged)))
def test_no_cursor_breaks_the_list(repository: Repository, cursor: str) -> None:
    with contextlib.suppress(BadCursor):
        repository.list_jobs(JobQuery(sort="-name", cursor=cursor))
