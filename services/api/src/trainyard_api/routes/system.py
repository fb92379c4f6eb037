"""Health, readiness, Prometheus metrics and the OpenAPI document."""

from flask import Response, current_app, jsonify
from flask_openapi.blueprint import APIBlueprint
from prometheus_client import CONTENT_TYPE_LATEST

from trainyard_api.routes.answers import answer, documented
from trainyard_api.routes.context import platform
from trainyard_api.routes.document import document
from trainyard_api.routes.instrumentation import exposition
from trainyard_api.routes.schemas.system import Health, PartView, Readiness, ReadinessQuery
from trainyard_api.services.readiness import readiness

bp = APIBlueprint("system", __name__, abp_tags=[{"name": "system"}])

_METRICS = {"description": "Prometheus text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
_DOCUMENT = {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object"}}}}


@bp.get("/healthz", responses=documented({200: Health}))
def get_health() -> Response:
    """Whether the process answers"""
    return answer(Health())


@bp.get("/readyz", responses=documented({200: Readiness, 503: Readiness}))
def get_readiness(query: ReadinessQuery) -> Response:
    """Whether every part can be used, or one of them"""
    parts = {name: PartView.model_validate(part) for name, part in readiness(platform(), query.part).items()}
    ready = all(part.ok for part in parts.values())
    return answer(Readiness(ok=ready, parts=parts), 200 if ready else 503)


@bp.get("/metrics", responses=documented({200: _METRICS}))
def get_prometheus_metrics() -> Response:
    """Figures for Prometheus"""
    return Response(exposition(platform().repository), content_type=CONTENT_TYPE_LATEST)


@bp.get("/openapi.json", responses=documented({200: _DOCUMENT}))
def get_document() -> Response:
    """This document"""
    return jsonify(document(current_app))
