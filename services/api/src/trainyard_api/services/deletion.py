"""Deleting jobs, with everything that they left in the object store."""

import re

from trainyard_api.services.platform import Platform
from trainyard_api.store.errors import NotFound

_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,32}\Z")


def delete_job(platform: Platform, job_id: str) -> None:
    """Delete a job that has ended: its row first, then its logs, events and checkpoints.

    Should the object store fail in between, the same call again deletes what is left. Raises NotFound, InUse, ObjectStoreError.
    """
    folder = f"jobs/{job_id}/"
    try:
        platform.repository.delete_job(job_id)
    except NotFound:
        if not _JOB_ID.match(job_id) or next(platform.objects.list(folder), None) is None:
            raise
    platform.objects.delete_prefix(folder)
