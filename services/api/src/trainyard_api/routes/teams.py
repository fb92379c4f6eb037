"""The teams."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from trainyard_api.routes.answers import answer, documented
from trainyard_api.routes.context import platform
from trainyard_api.routes.schemas.catalogue import TeamList, TeamView

bp = APIBlueprint("teams", __name__, abp_tags=[{"name": "teams"}])


@bp.get("/teams", responses=documented({200: TeamList}))
def list_teams() -> Response:
    """List the teams; the first one is that of jobs that name none"""
    return answer(TeamList(items=[TeamView.of(team) for team in platform().teams]))
