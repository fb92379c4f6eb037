"""The model registry."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from trainyard_api.routes.answers import answer, documented
from trainyard_api.routes.context import platform
from trainyard_api.routes.schemas.models import AliasPath, AliasRequest, ModelList, ModelPath, ModelsQuery, ModelVersionView, ModelView
from trainyard_api.services.models import delete_alias as take_away
from trainyard_api.services.models import get_model as find_model
from trainyard_api.services.models import list_versions, set_alias

bp = APIBlueprint("models", __name__, abp_tags=[{"name": "models"}])


@bp.get("/models", responses=documented({200: ModelList}, 502))
def list_models(query: ModelsQuery) -> Response:
    """List registered model versions, newest first"""
    versions = list_versions(platform(), query.limit, name=query.name)
    return answer(ModelList(items=[ModelVersionView.of(version) for version in versions]))


@bp.get("/models/<name>", responses=documented({200: ModelView}, 404, 502))
def get_model(path: ModelPath) -> Response:
    """Get a registered model"""
    return answer(ModelView.of(find_model(platform(), path.name)))


@bp.put("/models/<name>/aliases/<alias>", responses=documented({200: ModelView}, 404, 502, body=True))
def update_alias(path: AliasPath, body: AliasRequest) -> Response:
    """Let an alias lead to a version"""
    return answer(ModelView.of(set_alias(platform(), path.name, path.alias, body.version)))


@bp.delete("/models/<name>/aliases/<alias>", responses=documented({204: None}, 404, 502))
def delete_alias(path: AliasPath) -> Response:
    """Take an alias away"""
    take_away(platform(), path.name, path.alias)
    return Response(status=204)
