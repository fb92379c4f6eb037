"""The app factory."""

from flask_openapi.models.info import Info
from flask_openapi.openapi import OpenAPI

from trainyard_api import routes
from trainyard_api.routes import context, instrumentation, problems, requests, security, sse
from trainyard_api.routes.portal import Portal
from trainyard_api.routes.schemas.problem import Problem
from trainyard_api.services.platform import Platform
from trainyard_api.settings import Settings

_VERSION = "1.0.0"


def create_app(settings: Settings | None = None, *, platform: Platform | None = None) -> OpenAPI:
    """The API as a WSGI app, on the platform that ``settings`` (by default the environment) describes; with the portal where it is set.

    Raises OSError or ValueError for settings that cannot be used, such as a token file that is missing or empty.
    """
    platform = platform or Platform.open(settings or Settings())
    app = OpenAPI(
        "trainyard_api",
        info=Info(title="Trainyard", version=_VERSION, description="Distributed PyTorch training: submit, follow, find the models."),
        doc_ui=False,
        validation_error_model=Problem,
        validation_error_callback=requests.invalid_request,
        static_folder=None,
    )
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    context.attach(app, platform)
    instrumentation.register(app)
    problems.register(app)
    security.register(app, platform.settings.read_token(platform.settings.api_token_file))
    requests.register(app)
    sse.register(app)
    routes.register(app)
    if platform.settings.portal_dir is not None:
        auth = "none" if platform.settings.api_token_file is None else "token"
        app.wsgi_app = Portal(app.wsgi_app, platform.settings.portal_dir, auth=auth)  # type: ignore[method-assign]
    return app
