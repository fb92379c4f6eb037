"""Accepting jobs: everything that can be known to be wrong is refused before a row is written."""

from dataclasses import replace
from typing import Any

from trainyard_api.services.drafts import JobDraft, check
from trainyard_api.services.errors import FieldError, Invalid
from trainyard_api.services.job_ids import default_name, new_job_id
from trainyard_api.services.platform import Platform
from trainyard_api.store.errors import NotFound
from trainyard_api.store.models import Job
from trainyard_api.store.repository import NewJob


def submit(platform: Platform, draft: JobDraft, *, key: str | None = None) -> tuple[Job, bool]:
    """Accept the job; with a key that was used before for the same draft, the job it made.

    Returns the job and whether it is new. Raises Invalid, ObjectStoreError, and KeyReused when the key came with another draft.
    """
    fingerprint = draft.fingerprint()
    if key is not None:  # what was accepted stays accepted, also when the engine has become smaller since
        known = platform.repository.job_of_key(key, fingerprint)
        if known is not None:
            return known, False
    new = _prepare(platform, draft)
    try:
        return platform.repository.create_job(new, key=key, fingerprint=fingerprint)
    except NotFound:
        message = f"job {new.resume_job} has just been deleted"
        raise Invalid(FieldError("resume.job", message, "resume from another job, or from nothing")) from None


def clone(platform: Platform, job_id: str, changes: dict[str, Any]) -> Job:
    """A new job like ``job_id``, with some fields of the draft changed; ``parameters`` are merged.

    It starts from nothing unless the changes name a checkpoint. Raises NotFound, Invalid, ObjectStoreError.
    """
    old = platform.repository.get_job(job_id)
    parameters = {**old.parameters, **changes.get("parameters", {})}
    draft = JobDraft(
        template=old.template,
        name=None if old.name == default_name(old.template, old.id) else old.name,
        code=old.code,
        data=old.data,
        image=old.image,
        team=old.team,
        tags=dict(old.tags),
        retries=old.retries,
        deadline_seconds=old.deadline_seconds,
        checkpoints=old.checkpoints,
    )
    job, _ = submit(platform, replace(draft, **{**changes, "parameters": parameters}))
    return job


def _prepare(platform: Platform, draft: JobDraft) -> NewJob:
    """The draft as a row. Raises Invalid with every field that is wrong."""
    checked = check(platform, draft)
    if checked.misfits:
        raise Invalid(*checked.misfits)
    job_id = new_job_id()
    return NewJob(
        id=job_id,
        name=draft.name or default_name(checked.template.name, job_id),
        template=checked.template.name,
        team=checked.team.name,
        parameters=checked.parameters.model_dump(mode="json"),
        tags=draft.tags,
        spec=checked.spec.model_dump(mode="json"),
        resources=checked.spec.resources.model_dump(mode="json"),
        code=draft.code,
        data=draft.data,
        image=draft.image,
        retries=draft.retries,
        deadline_seconds=draft.deadline_seconds,
        resume_job=draft.resume["job"] if draft.resume else None,
        resume_step=checked.resume.step if checked.resume else None,
        checkpoints=draft.checkpoints,
    )
