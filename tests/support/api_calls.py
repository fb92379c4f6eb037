"""Calls of the HTTP API in this process, and what stands in for the controller and the trainer behind it."""

import io
import zipfile
from typing import Any

from flask.testing import FlaskClient

from trainyard_api.services.platform import Platform
from trainyard_api.store.models import Job, utcnow
from trainyard_api.store.states import JobState

TOKEN = "a-token-for-tests"


class ApiClient(FlaskClient):
    """A client below /api/v1 that sends the token; ``raw`` calls are left as they are."""

    def open(self, *args: Any, raw: bool = False, **kwargs: Any) -> Any:
        if not raw:
            args = (f"/api/v1{args[0]}", *args[1:])
            kwargs["headers"] = {"Authorization": f"Bearer {TOKEN}", **(kwargs.get("headers") or {})}
        return super().open(*args, **kwargs)


def archive(files: dict[str, bytes | str]) -> bytes:
    """A .zip with these files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in files.items():
            bundle.writestr(name, text)
    return content.getvalue()


def upload(client: ApiClient, content: bytes, name: str = "code.zip", path: str = "/code") -> Any:
    """The answer to uploading one file."""
    return client.post(path, data={"file": (io.BytesIO(content), name)})


def submit(client: ApiClient, template: str = "image-classification", *, key: str | None = None, **fields: Any) -> Any:
    """The answer to submitting a job."""
    headers = {"Idempotency-Key": key} if key is not None else {}
    return client.post("/jobs", json={"template": template, **fields}, headers=headers)


def new_job(client: ApiClient, **fields: Any) -> str:
    """The id of a new job."""
    answer = submit(client, **fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def problems(answer: Any, status: int = 422) -> dict[str, tuple[str, str]]:
    """The wrong fields of a problem with this status: message and fix by name."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == status
    return {error["field"]: (error["message"], error["fix"]) for error in answer.json["errors"]}


def start(platform: Platform, job_id: str, *, workers: int = 1) -> Job:
    """The job in its next attempt, running."""
    repository = platform.repository
    repository.start_attempt(job_id, repository.get_job(job_id).state, workers)
    return repository.transition(job_id, JobState.STARTING, JobState.RUNNING, started_at=utcnow())


def finish(platform: Platform, job_id: str, target: JobState = JobState.SUCCEEDED, reason: str | None = None) -> None:
    """End the running attempt; nothing of it runs any more."""
    job = platform.repository.get_job(job_id)
    outcome = "succeeded" if target is JobState.SUCCEEDED else "failed"
    job = platform.repository.finish_attempt(job, target, outcome=outcome, reason=reason)
    platform.repository.update_attempt(job_id, job.attempt, cleaned_at=utcnow())


def ship(platform: Platform, job_id: str, content: bytes, *, offset: int = 0, attempt: int = 1, rank: str = "0") -> None:
    """One chunk of a log, as the trainer ships it."""
    platform.objects.put_bytes(f"jobs/{job_id}/attempts/{attempt}/logs/rank-{rank}/{offset:012d}.log", content)


def sse_events(text: str) -> list[dict[str, str]]:
    """The events of a stream, each with its fields; comments and retry lines are left out."""
    blocks = [dict(line.split(": ", 1) for line in block.splitlines() if ": " in line) for block in text.split("\n\n")]
    return [block for block in blocks if "event" in block]
