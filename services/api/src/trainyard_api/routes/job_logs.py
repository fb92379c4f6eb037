"""The logs of a job."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from trainyard_api.routes.answers import answer, documented, event_stream
from trainyard_api.routes.context import platform
from trainyard_api.routes.schemas.base import JobPath
from trainyard_api.routes.schemas.logs import (
    LogPieceView,
    LogQuery,
    LogRangeQuery,
    LogRangeView,
    LogSourceList,
    LogSourceView,
    LogStreamQuery,
    SourcesQuery,
)
from trainyard_api.routes.sse import position, stream
from trainyard_api.services.logs import LogFollower, download_log, log_sources, read_log

bp = APIBlueprint("job_logs", __name__, abp_tags=[{"name": "logs"}])

_POLL_SECONDS, _LIVELY_POLL_SECONDS = 0.25, 0.1
_TEXT = {"description": "The log, byte for byte", "content": {"text/plain": {"schema": {"type": "string"}}}}


@bp.get("/jobs/<job_id>/logs/sources", responses=documented({200: LogSourceList}, 404))
def list_log_sources(path: JobPath, query: SourcesQuery) -> Response:
    """List the logs of a job"""
    sources = log_sources(platform(), path.job_id, query.attempt)
    return answer(LogSourceList(items=[LogSourceView.model_validate(source) for source in sources]))


@bp.get("/jobs/<job_id>/logs", responses=documented({200: LogRangeView}, 404))
def get_log(path: JobPath, query: LogRangeQuery) -> Response:
    """Read a part of a log"""
    part = read_log(platform(), path.job_id, attempt=query.attempt, rank=query.rank, offset=query.offset, limit=query.limit)
    return answer(LogRangeView.model_validate(part))


@bp.get("/jobs/<job_id>/logs/download", responses=documented({200: _TEXT}, 404))
def get_whole_log(path: JobPath, query: LogQuery) -> Response:
    """Download a log"""
    attempt, size, content = download_log(platform(), path.job_id, attempt=query.attempt, rank=query.rank)
    name = f"{path.job_id}-attempt-{attempt}-rank-{query.rank}.log"
    headers = {"Content-Length": str(size), "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, mimetype="text/plain", headers=headers)


@bp.get("/jobs/<job_id>/logs/stream", responses=documented({200: event_stream("log")}, 404))
def stream_log(path: JobPath, query: LogStreamQuery) -> Response:
    """Follow a log"""
    parts, after = platform(), position(query.last_event_id)
    return stream(
        lambda: LogFollower(parts, path.job_id, attempt=query.attempt, rank=query.rank, position=after),
        LogPieceView.model_validate,
        seconds=_POLL_SECONDS,
        lively_seconds=_LIVELY_POLL_SECONDS,
    )
