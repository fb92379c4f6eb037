"""Code from git repositories."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from trainyard_api.routes.answers import answer, documented
from trainyard_api.routes.context import platform
from trainyard_api.routes.schemas.uploads import GitRequest, GitSource, UploadView
from trainyard_api.services.git_code import GitPlace, store_git_code

bp = APIBlueprint("git_code", __name__, abp_tags=[{"name": "uploads"}])


@bp.post("/code/git", responses=documented({201: UploadView, 200: UploadView}, 507, body=True))
def create_code_from_git(body: GitRequest) -> Response:
    """Fetch code from git

    What one commit of a public repository holds, as if it had been uploaded; 201, or 200 when the same files are there already.
    """
    upload, source, is_new = store_git_code(platform(), GitPlace(**body.model_dump()))
    view = UploadView.of(upload).model_copy(update={"source": GitSource(**source)})
    return answer(view, 201 if is_new else 200, {"Location": f"/api/v1/code/{upload.id}"})
