"""The job kinds."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from trainyard_api.routes.answers import answer, documented
from trainyard_api.routes.schemas.catalogue import TemplateList, TemplatePath, TemplateSummary, TemplateView
from trainyard_api.services.errors import Missing
from trainyard_templates import TEMPLATES, UnknownTemplate, get

bp = APIBlueprint("templates", __name__, abp_tags=[{"name": "templates"}])


@bp.get("/templates", responses=documented({200: TemplateList}))
def list_templates() -> Response:
    """List the job kinds"""
    return answer(TemplateList(items=[TemplateSummary.of(template) for template in TEMPLATES.values()]))


@bp.get("/templates/<name>", responses=documented({200: TemplateView}, 404))
def get_template(path: TemplatePath) -> Response:
    """Get a job kind with the JSON Schema of its parameters"""
    try:
        return answer(TemplateView.of(get(path.name)))
    except UnknownTemplate as unknown:
        raise Missing(f"{unknown}; {unknown.fix}") from unknown
