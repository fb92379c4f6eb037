"""Keyset paging over jobs: pages stay right while jobs are added, because a page starts after a row, not at a count."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, literal, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from trainyard_api.store.models import Job, JobTag
from trainyard_api.store.states import JobState

#: What a list can be sorted by, down to the id, so that no two rows are equal; "-" in front means descending.
SORTS: dict[str, tuple[InstrumentedAttribute[Any], ...]] = {
    "created_at": (Job.created_at, Job.id),
    "name": (Job.name, Job.id),
    "state": (Job.state_name, Job.created_at, Job.id),
}


class BadCursor(ValueError):
    """The cursor is not one this list gave out."""


@dataclass(frozen=True)
class JobQuery:
    """One question to the jobs list. A job matches any of ``states`` and all of ``tags`` (key, value).

    ``text`` is looked for in names and at the start of ids; ``sort`` is a key of SORTS, with "-" for descending.
    """

    states: Sequence[JobState] = ()
    template: str | None = None
    team: str | None = None
    tags: Sequence[tuple[str, str]] = ()
    text: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    sort: str = "-created_at"
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True)
class JobPage:
    """The rows, and the cursor of the next page or None."""

    items: list[Job]
    next_cursor: str | None


def page_of_jobs(session: Session, query: JobQuery) -> JobPage:
    """Rows after the cursor. Raises BadCursor for a cursor of another sort or made by hand."""
    columns = SORTS[query.sort.removeprefix("-")]
    descending = query.sort.startswith("-")
    statement = _filtered(query)
    if query.cursor:
        statement = statement.where(_after(columns, _decode(query.sort, query.cursor), descending=descending))
    order = [column.desc() if descending else column.asc() for column in columns]
    rows = list(session.scalars(statement.order_by(*order).limit(query.limit + 1)))
    items = rows[: query.limit]
    more = len(rows) > query.limit
    return JobPage(items, _encode(query.sort, items[-1]) if more else None)


def _filtered(query: JobQuery) -> Select[Job]:
    statement = select(Job)
    words = [query.template or "", query.team or "", query.text or "", *(part for tag in query.tags for part in tag)]
    if any("\0" in word for word in words):  # PostgreSQL refuses it, and no job has one
        return statement.where(literal(False))
    if query.states:
        statement = statement.where(Job.state_name.in_([state.value for state in query.states]))
    if query.template:
        statement = statement.where(Job.template == query.template)
    if query.team:
        statement = statement.where(Job.team == query.team)
    if query.created_after:
        statement = statement.where(Job.created_at > query.created_after)
    if query.created_before:
        statement = statement.where(Job.created_at < query.created_before)
    for key, value in query.tags:
        statement = statement.where(Job.id.in_(select(JobTag.job_id).where(JobTag.key == key, JobTag.value == value)))
    if query.text:
        named = Job.name.icontains(query.text, autoescape=True)
        statement = statement.where(or_(named, Job.id.startswith(query.text, autoescape=True)))
    return statement


def _after(columns: tuple[InstrumentedAttribute[Any], ...], values: list[Any], *, descending: bool) -> ColumnElement[bool]:
    """A comparison of whole rows, which both databases read from the index of the sort."""
    row = tuple_(*columns)
    last = tuple_(*(literal(value, column.type) for column, value in zip(columns, values, strict=True)))
    return row < last if descending else row > last


def _encode(sort: str, job: Job) -> str:
    values = [getattr(job, column.key) for column in SORTS[sort.removeprefix("-")]]
    texts = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps([sort, *texts]).encode()).decode().rstrip("=")


def _decode(sort: str, cursor: str) -> list[Any]:
    try:
        made_for, *texts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if made_for != sort:
            raise ValueError("cursor of another list")
        columns = SORTS[sort.removeprefix("-")]
        return [_value(column, text) for column, text in zip(columns, texts, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadCursor("the cursor does not belong to this list") from error


def _value(column: InstrumentedAttribute[Any], text: Any) -> Any:
    """One value of a cursor, as its column has them. Raises ValueError, TypeError, OverflowError."""
    if not isinstance(text, str) or "\0" in text:
        raise ValueError("not a value of this column")
    if column.key == "created_at":
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("a time without its zone")
        return moment.astimezone(UTC)
    text.encode()  # a lone surrogate is no text
    return text
