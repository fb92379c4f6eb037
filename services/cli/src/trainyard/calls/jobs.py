"""Submitting jobs, listing them, and changing what becomes of them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from trainyard.calls.base import Calls, given, job_path
from trainyard.errors import WaitTimeout
from trainyard.models import CheckpointPolicy, Job, Preview


class JobCalls(Calls):
    """Jobs."""

    def submit(
        self,
        template: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        code: str | None = None,
        data: str | None = None,
        image: str | None = None,
        team: str | None = None,
        tags: Mapping[str, str] | None = None,
        retries: int = 0,
        deadline_seconds: int | None = None,
        resume: tuple[str, int | None] | None = None,
        checkpoints: CheckpointPolicy | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submit a job; sent again with the same key when the answer is lost, so that there is one job in the end.

        Args:
            template: the job kind.
            parameters: of the template; what is left out gets its default.
            name: for people; the server makes one by default.
            code, data: ids of uploads.
            image: container image, one that the team's `allowed_images` fit; the platform's own by default.
            team: whose job it is; the server's first team by default.
            tags: labels to find the job by.
            retries: attempts after the first one fails.
            deadline_seconds: after which an attempt is stopped.
            resume: start from a checkpoint of another job: its id and the step, None for the newest.
            checkpoints: which checkpoints stay; the newest two by default.
            idempotency_key: the same key and job again give the same job; a random one by default.
        """
        body = {
            "template": template,
            "name": name,
            "parameters": dict(parameters or {}),
            "code": code,
            "data": data,
            "image": image,
            "team": team,
            "tags": dict(tags or {}),
            "retries": retries,
            "deadline_seconds": deadline_seconds,
            "resume": None if resume is None else {"job": resume[0], "step": resume[1]},
            "checkpoints": None if checkpoints is None else checkpoints.model_dump(),
        }
        key = idempotency_key or str(uuid.uuid4())
        return self._one(Job, self._http.json("POST", "/jobs", json=body, headers={"Idempotency-Key": key}, repeatable=True))

    def preview_job(self, template: str, parameters: Mapping[str, Any] | None = None, **fields: Any) -> Preview:
        """What would become of a job that is submitted now; nothing is created.

        Args:
            template, parameters: see `submit`.
            fields: others of a submission, as the API spells them.
        """
        body = {"template": template, "parameters": dict(parameters or {}), **fields}
        return self._one(Preview, self._http.json("POST", "/jobs/preview", json=body, repeatable=True))

    def list_jobs(
        self,
        *,
        states: Iterable[str] = (),
        template: str | None = None,
        team: str | None = None,
        tags: Mapping[str, str] | None = None,
        query: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        sort: str = "-created_at",
        page_size: int = 100,
    ) -> Iterator[Job]:
        """All jobs that match, page by page as they are asked for.

        Args:
            states: any of these; all by default.
            template: of this job kind.
            team: of this team.
            tags: with all of these.
            query: text in the name.
            created_after, created_before: submitted in this span; aware datetimes.
            sort: `created_at`, `name` or `state`; `-` in front for descending.
            page_size: jobs per request.
        """
        wanted = {"state": [str(state) for state in states], "tag": [f"{key}:{value}" for key, value in (tags or {}).items()]}
        span = {"created_after": _moment(created_after), "created_before": _moment(created_before)}
        params: dict[str, Any] = {**wanted, **span, "template": template, "team": team, "q": query, "sort": sort, "limit": page_size}
        params = {key: value for key, value in given(**params).items() if value != []}
        while True:
            page = self._http.json("GET", "/jobs", params=params)
            yield from self._many(Job, page)
            if not page.get("next_cursor"):
                return
            params["cursor"] = page["next_cursor"]

    def get_job(self, job_id: str) -> Job:
        """The job as it is now."""
        return self._one(Job, self._http.json("GET", job_path(job_id)))

    def cancel_job(self, job_id: str) -> Job:
        """Ask for the job to stop; it may still run when this returns. Raises Conflict when it has ended."""
        return self._one(Job, self._http.json("POST", job_path(job_id, "/cancel")))

    def retry_job(self, job_id: str) -> Job:
        """Run a failed or cancelled job again, from its last checkpoint. Raises Conflict in other states."""
        return self._one(Job, self._http.json("POST", job_path(job_id, "/retry")))

    def clone_job(self, job_id: str, changes: Mapping[str, Any] | None = None) -> Job:
        """A new job like this one.

        Args:
            job_id: the job to copy.
            changes: fields of a submission to replace (`name`, `tags`, `data`...); `parameters` are merged into the old ones.
        """
        return self._one(Job, self._http.json("POST", job_path(job_id, "/clone"), json=dict(changes or {})))

    def delete_job(self, job_id: str) -> None:
        """Remove an ended job with its logs and checkpoints. Raises Conflict while it is active."""
        self._http.json("DELETE", job_path(job_id))

    def wait_for_job(self, job_id: str, *, timeout: float | None = None, poll_seconds: float = 0.5) -> Job:
        """Block until the job ends, then return it.

        Args:
            job_id: the job.
            timeout: seconds; None waits for ever.
            poll_seconds: between two looks at the job.

        Raises:
            WaitTimeout: it had not ended in time.
        """
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while not (job := self.get_job(job_id)).state.ended:
            left = deadline - time.monotonic()
            if left <= 0:
                raise WaitTimeout(f"job {job_id} is still {job.state} after {timeout:g} s")
            time.sleep(min(poll_seconds, left))
        return job


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
