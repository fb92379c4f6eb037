"""The HTTP surface: one module per resource. Routes only translate between HTTP and ``services``."""

from flask_openapi.openapi import OpenAPI

from trainyard_api.routes import (
    capacity,
    git_code,
    job_artifacts,
    job_checkpoints,
    job_events,
    job_logs,
    job_metrics,
    jobs,
    models,
    system,
    teams,
    templates,
    uploads,
)

PREFIX = "/api/v1"


def register(app: OpenAPI) -> None:
    """Add every resource to the app."""
    of_jobs = (jobs, job_events, job_logs, job_metrics, job_checkpoints, job_artifacts)
    for resource in (*of_jobs, templates, teams, uploads, git_code, models, capacity):
        app.register_api(resource.bp, url_prefix=PREFIX)
    app.register_api(system.bp)
