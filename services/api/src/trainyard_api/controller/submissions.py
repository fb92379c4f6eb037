"""What an attempt is submitted with."""

from __future__ import annotations

import json

from trainyard_api.engines.base import Submission
from trainyard_api.settings import Settings
from trainyard_api.store.models import Attempt, Job


def submission_of(job: Job, attempt: Attempt, settings: Settings, *, object_store_url: str, standby_seconds: float) -> Submission:
    """The attempt as an engine takes it; its environment is what the trainer reads (docs/architecture.md)."""
    environment = {
        "TRAINYARD_JOB_ID": job.id,
        "TRAINYARD_ATTEMPT": str(attempt.number),
        "TRAINYARD_SPEC": json.dumps(job.spec),
        "TRAINYARD_OBJECT_STORE_URL": object_store_url,
        "TRAINYARD_SPOOL_DIR": str(settings.state_dir / "spool"),
        "TRAINYARD_MLFLOW_URL": settings.mlflow_url,
        "TRAINYARD_MLFLOW_RUN_ID": job.mlflow_run_id or "",
        "TRAINYARD_STANDBY_SECONDS": f"{standby_seconds:g}",
    }
    return Submission(
        attempt.submission_id,
        job.id,
        attempt.number,
        attempt.workers,
        job.resources,
        environment,
        team=job.team,
        image=job.image,
        deadline_seconds=job.deadline_seconds,
    )
