"""What the engine has and has free."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from trainyard_api.routes.answers import answer, documented
from trainyard_api.routes.context import platform
from trainyard_api.routes.schemas.catalogue import CapacityView
from trainyard_api.services.errors import Unavailable

bp = APIBlueprint("capacity", __name__, abp_tags=[{"name": "capacity"}])


@bp.get("/capacity", responses=documented({200: CapacityView}))
def get_capacity() -> Response:
    """Get the engine's capacity"""
    row = platform().repository.get_capacity()
    if row is None:
        raise Unavailable("the controller has not seen the engine yet; try again in a few seconds")
    return answer(CapacityView.of(row))
