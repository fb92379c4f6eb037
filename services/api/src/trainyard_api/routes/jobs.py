"""Jobs: preview, submit, list, get, cancel, retry, clone, delete; their attempts."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from trainyard_api.routes.answers import answer, documented
from trainyard_api.routes.context import platform
from trainyard_api.routes.schemas.base import JobPath
from trainyard_api.routes.schemas.jobs import (
    AttemptList,
    AttemptView,
    CloneRequest,
    IdempotencyHeader,
    JobPage,
    JobRequest,
    JobsQuery,
    JobView,
)
from trainyard_api.routes.schemas.previews import PreviewView
from trainyard_api.services.deletion import delete_job as delete_whole_job
from trainyard_api.services.drafts import JobDraft
from trainyard_api.services.preview import preview
from trainyard_api.services.submission import clone, submit
from trainyard_api.store.models import Job
from trainyard_api.store.paging import JobQuery

bp = APIBlueprint("jobs", __name__, abp_tags=[{"name": "jobs"}])


def _job(job: Job, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return answer(JobView.of(job, platform().settings), status, headers)


def _created(job: Job) -> Response:
    return _job(job, 201, {"Location": f"/api/v1/jobs/{job.id}"})


@bp.post("/jobs", responses=documented({201: JobView, 200: JobView}, body=True))
def create_job(header: IdempotencyHeader, body: JobRequest) -> Response:
    """Submit a job

    201 with the new job; 200 and `Idempotency-Replayed: true` with the job that the same key and body made before.
    """
    job, is_new = submit(platform(), JobDraft(**body.model_dump()), key=header.idempotency_key)
    return _created(job) if is_new else _job(job, 200, {"Idempotency-Replayed": "true"})


@bp.post("/jobs/preview", responses=documented({200: PreviewView}, body=True))
def preview_job(body: JobRequest) -> Response:
    """Say what would become of a job

    The same body as for submitting it, and the same 422; nothing is created.
    """
    return answer(PreviewView.model_validate(preview(platform(), JobDraft(**body.model_dump()))))


@bp.get("/jobs", responses=documented({200: JobPage}))
def list_jobs(query: JobsQuery) -> Response:
    """List jobs, page by page"""
    tags = [(key, value) for key, _, value in (tag.partition(":") for tag in query.tag)]
    page = platform().repository.list_jobs(
        JobQuery(
            states=query.state,
            template=query.template or None,
            team=query.team or None,
            tags=tags,
            text=query.q or None,
            created_after=query.created_after,
            created_before=query.created_before,
            sort=query.sort,
            cursor=query.cursor or None,
            limit=query.limit,
        )
    )
    items = [JobView.of(job, platform().settings) for job in page.items]
    return answer(JobPage(items=items, next_cursor=page.next_cursor))


@bp.get("/jobs/<job_id>", responses=documented({200: JobView}, 404))
def get_job(path: JobPath) -> Response:
    """Get a job"""
    return _job(platform().repository.get_job(path.job_id))


@bp.delete("/jobs/<job_id>", responses=documented({204: None}, 404, 409))
def delete_job(path: JobPath) -> Response:
    """Delete a job that has ended, with its logs and checkpoints"""
    delete_whole_job(platform(), path.job_id)
    return Response(status=204)


@bp.post("/jobs/<job_id>/cancel", responses=documented({202: JobView}, 404, 409))
def cancel_job(path: JobPath) -> Response:
    """Cancel a job"""
    return _job(platform().repository.request_cancel(path.job_id), 202)


@bp.post("/jobs/<job_id>/retry", responses=documented({202: JobView}, 404, 409))
def retry_job(path: JobPath) -> Response:
    """Try a failed or cancelled job again"""
    return _job(platform().repository.request_retry(path.job_id), 202)


@bp.post("/jobs/<job_id>/clone", responses=documented({201: JobView}, 404, body=True))
def clone_job(path: JobPath, body: CloneRequest) -> Response:
    """Submit a job like another one"""
    return _created(clone(platform(), path.job_id, body.changes()))


@bp.get("/jobs/<job_id>/attempts", responses=documented({200: AttemptList}, 404))
def list_attempts(path: JobPath) -> Response:
    """List the attempts of a job"""
    attempts = platform().repository.list_attempts(path.job_id)
    return answer(AttemptList(items=[AttemptView.of(attempt) for attempt in attempts]))
