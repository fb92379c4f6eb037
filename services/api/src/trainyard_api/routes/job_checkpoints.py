"""The checkpoints of a job."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from trainyard_api.routes.answers import answer, attachment, documented, file_content
from trainyard_api.routes.context import platform
from trainyard_api.routes.schemas.base import JobPath
from trainyard_api.routes.schemas.checkpoints import CheckpointList, CheckpointPath, CheckpointView
from trainyard_api.services.checkpoints import checkpoint_archive, checkpoints_of

bp = APIBlueprint("job_checkpoints", __name__, abp_tags=[{"name": "checkpoints"}])

_ZIP = file_content("A .zip with the checkpoint's files", "application/zip")


@bp.get("/jobs/<job_id>/checkpoints", responses=documented({200: CheckpointList}, 404))
def list_checkpoints(path: JobPath) -> Response:
    """List the whole checkpoints of a job, newest first"""
    return answer(CheckpointList(items=[CheckpointView.of(listed) for listed in checkpoints_of(platform(), path.job_id)]))


@bp.get("/jobs/<job_id>/checkpoints/<step>/download", responses=documented({200: _ZIP}, 404))
def get_checkpoint_archive(path: CheckpointPath) -> Response:
    """Download a checkpoint

    Its files are compared with their digests on the way: a download that breaks off at the end is of a damaged checkpoint.
    """
    job, content = checkpoint_archive(platform(), path.job_id, path.step)
    return attachment(content, f"{job.id}-step-{path.step}.zip", mimetype="application/zip")
