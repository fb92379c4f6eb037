"""What an attempt is submitted with."""

from __future__ import annotations

import json

from trainyard_api.engines.base import Submission
from trainyard_api.settings import Settings
from trainyard_api.store.models import Attempt, Job, WarmCluster
from trainyard_templates.runspec import ResourceSpec, RunSpec


def submission_of(job: Job, attempt: Attempt, settings: Settings, *, object_store_url: str, standby_seconds: float) -> Submission:
    """The attempt as an engine takes it; its environment is what the trainer reads (docs/architecture.md)."""
    environment = {
        "TRAINYARD_JOB_ID": job.id,
        "TRAINYARD_ATTEMPT": str(attempt.number),
        "TRAINYARD_SPEC": json.dumps(job.spec),
        "TRAINYARD_MLFLOW_RUN_ID": job.mlflow_run_id or "",
        **_places(settings, object_store_url, standby_seconds),
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


def submission_of_warm(cluster: WarmCluster, settings: Settings, *, object_store_url: str, standby_seconds: float) -> Submission:
    """The same for a warm cluster: an attempt before the first one, whose spec says only how large it is."""
    spec = RunSpec(kind="function", entry="none:none", resources=ResourceSpec.model_validate(cluster.resources))
    environment = {
        "TRAINYARD_JOB_ID": cluster.id,
        "TRAINYARD_ATTEMPT": "0",
        "TRAINYARD_SPEC": spec.model_dump_json(),
        **_places(settings, object_store_url, standby_seconds),
    }
    return Submission(
        cluster.submission_id, cluster.id, 0, cluster.workers, cluster.resources, environment, team=cluster.team, image=cluster.image
    )


def _places(settings: Settings, object_store_url: str, standby_seconds: float) -> dict[str, str]:
    return {
        "TRAINYARD_OBJECT_STORE_URL": object_store_url,
        "TRAINYARD_SPOOL_DIR": str(settings.state_dir / "spool"),
        "TRAINYARD_MLFLOW_URL": settings.mlflow_url,
        "TRAINYARD_STANDBY_SECONDS": f"{standby_seconds:g}",
    }
