"""Keyset paging over jobs: pages stay right while jobs are added, because a page starts after a row, not at a count."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from trainyard_api.store.models import Job
from trainyard_api.store.states import JobState

#: What a list can be sorted by; "-" in front means descending.
SORTS: dict[str, InstrumentedAttribute[Any]] = {
    "created_at": Job.created_at,
    "name": Job.name,
    "state": Job.state_name,
}


class BadCursor(ValueError):
    """The cursor is not one this list gave out."""


@dataclass(frozen=True)
class JobQuery:
    """One question to the jobs list. ``sort`` is a key of SORTS, with "-" for descending."""

    states: Sequence[JobState] = ()
    template: str | None = None
    text: str | None = None
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
    descending = query.sort.startswith("-")
    column = SORTS[query.sort.removeprefix("-")]
    statement = select(Job)
    if query.states:
        statement = statement.where(Job.state_name.in_([state.value for state in query.states]))
    if query.template:
        statement = statement.where(Job.template == query.template)
    if query.text:
        statement = statement.where(
            or_(
                Job.name.icontains(query.text, autoescape=True),
                Job.id.startswith(query.text, autoescape=True),
            )
        )
    if query.cursor:
        statement = statement.where(_after(column, query.sort, query.cursor, descending=descending))
    order = (column.desc(), Job.id.desc()) if descending else (column.asc(), Job.id.asc())
    rows = list(session.scalars(statement.order_by(*order).limit(query.limit + 1)))
    items = rows[: query.limit]
    more = len(rows) > query.limit
    return JobPage(items, _encode(query.sort, items[-1]) if more else None)


def _after(column: InstrumentedAttribute[Any], sort: str, cursor: str, *, descending: bool) -> ColumnElement[bool]:
    value, job_id = _decode(sort, cursor)
    if descending:
        return or_(column < value, and_(column == value, Job.id < job_id))
    return or_(column > value, and_(column == value, Job.id > job_id))


def _encode(sort: str, job: Job) -> str:
    value = getattr(job, SORTS[sort.removeprefix("-")].key)
    text = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([sort, text, job.id]).encode()).decode().rstrip("=")


def _decode(sort: str, cursor: str) -> tuple[Any, str]:
    try:
        made_for, value, job_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if made_for != sort or not isinstance(job_id, str) or not isinstance(value, str):
            raise ValueError("cursor of another list")
        if "\0" in value + job_id:
            raise ValueError("NUL in cursor")
        return (datetime.fromisoformat(value) if sort.endswith("created_at") else value), job_id
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadCursor("the cursor does not belong to this list") from error
