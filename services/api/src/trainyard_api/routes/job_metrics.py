"""The metrics of a job."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from trainyard_api.routes.answers import answer, documented, event_stream
from trainyard_api.routes.context import platform
from trainyard_api.routes.schemas.base import JobPath
from trainyard_api.routes.schemas.jobs import JobView
from trainyard_api.routes.schemas.metrics import (
    ComparedJobView,
    ComparisonQuery,
    ComparisonView,
    MetricsQuery,
    MetricsStreamQuery,
    MetricsView,
    PointsView,
    SeriesView,
)
from trainyard_api.routes.sse import position, stream
from trainyard_api.services.metrics import MetricFollower, compare, read_metrics

bp = APIBlueprint("job_metrics", __name__, abp_tags=[{"name": "metrics"}])

_POLL_SECONDS = 0.7


@bp.get("/jobs/<job_id>/metrics", responses=documented({200: MetricsView}, 404, 502))
def get_metrics(path: JobPath, query: MetricsQuery) -> Response:
    """Get the metrics of a job, downsampled"""
    run_id, series = read_metrics(platform(), path.job_id, query.key, query.points)
    return answer(MetricsView(run_id=run_id, series=[SeriesView.of(one) for one in series]))


@bp.get("/comparison", responses=documented({200: ComparisonView}, 502))
def get_comparison(query: ComparisonQuery) -> Response:
    """Get jobs side by side, with their metrics downsampled"""
    items = [
        ComparedJobView(job=JobView.of(job, platform().settings), series=[SeriesView.of(one) for one in series])
        for job, series in compare(platform(), query.job, query.points)
    ]
    return answer(ComparisonView(items=items))


@bp.get("/jobs/<job_id>/metrics/stream", responses=documented({200: event_stream("metrics")}, 404, 502))
def stream_metrics(path: JobPath, query: MetricsStreamQuery) -> Response:
    """Follow the metrics of a job"""
    parts, after = platform(), position(query.last_event_id)
    return stream(lambda: MetricFollower(parts, path.job_id, keys=query.key, position=after), PointsView.of, seconds=_POLL_SECONDS)
