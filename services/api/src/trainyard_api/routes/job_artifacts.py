"""The files of a job's run, and the stack dumps of ranks that hung."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from trainyard_api.routes.answers import answer, attachment, documented, file_content
from trainyard_api.routes.context import platform
from trainyard_api.routes.schemas.artifacts import ArtifactList, ArtifactQuery, ArtifactsQuery, ArtifactView, StackList, StackView
from trainyard_api.routes.schemas.base import JobPath
from trainyard_api.routes.schemas.logs import SourcesQuery
from trainyard_api.services.artifacts import artifacts_of, open_artifact
from trainyard_api.services.stacks import read_stacks

bp = APIBlueprint("job_artifacts", __name__, abp_tags=[{"name": "artifacts"}])


@bp.get("/jobs/<job_id>/artifacts", responses=documented({200: ArtifactList}, 404, 502))
def list_artifacts(path: JobPath, query: ArtifactsQuery) -> Response:
    """List a folder of a job's run"""
    run_id, folder, found = artifacts_of(platform(), path.job_id, query.path)
    return answer(ArtifactList(run_id=run_id, path=folder, items=[ArtifactView.model_validate(one) for one in found]))


@bp.get("/jobs/<job_id>/artifacts/download", responses=documented({200: file_content("The file, byte for byte")}, 404, 502))
def get_artifact(path: JobPath, query: ArtifactQuery) -> Response:
    """Download a file of a job's run"""
    found, content = open_artifact(platform(), path.job_id, query.path)
    return attachment(content, found.name, size=found.size)


@bp.get("/jobs/<job_id>/stacks", responses=documented({200: StackList}, 404))
def list_stacks(path: JobPath, query: SourcesQuery) -> Response:
    """List where the ranks of a job stood when they hung"""
    return answer(StackList(items=[StackView.model_validate(stack) for stack in read_stacks(platform(), path.job_id, query.attempt)]))
