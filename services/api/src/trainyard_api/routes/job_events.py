"""The timeline of a job."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from trainyard_api.routes.answers import answer, documented, event_stream
from trainyard_api.routes.context import platform
from trainyard_api.routes.schemas.base import JobPath, StreamQuery
from trainyard_api.routes.schemas.jobs import EventList, EventView
from trainyard_api.routes.sse import position, stream
from trainyard_api.services.events import EventFollower, all_events

bp = APIBlueprint("job_events", __name__, abp_tags=[{"name": "timeline"}])

_POLL_SECONDS = 0.3


@bp.get("/jobs/<job_id>/events", responses=documented({200: EventList}, 404))
def list_events(path: JobPath) -> Response:
    """Get the timeline of a job"""
    return answer(EventList(items=[EventView.of(event) for event in all_events(platform().repository, path.job_id)]))


@bp.get("/jobs/<job_id>/events/stream", responses=documented({200: event_stream("event")}, 404))
def stream_events(path: JobPath, query: StreamQuery) -> Response:
    """Follow the timeline of a job"""
    parts, after = platform(), position(query.last_event_id)
    return stream(lambda: EventFollower(parts.repository, path.job_id, after), EventView.of, seconds=_POLL_SECONDS)
