"""The model registry."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from trainyard_api.routes.answers import answer, documented
from trainyard_api.routes.context import platform
from trainyard_api.routes.schemas.catalogue import ModelList, ModelsQuery, ModelVersionView

bp = APIBlueprint("models", __name__, abp_tags=[{"name": "models"}])


@bp.get("/models", responses=documented({200: ModelList}, 502))
def list_models(query: ModelsQuery) -> Response:
    """List registered model versions, newest first"""
    versions = sorted(platform().tracking.model_versions(query.limit), key=lambda version: version.created_at, reverse=True)
    return answer(ModelList(items=[ModelVersionView.of(version) for version in versions]))
