"""The typed client of Trainyard's HTTP API."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from trainyard.connection import connect
from trainyard.errors import InvalidInput, ServerFailed, WaitTimeout
from trainyard.http import Backoff, Http
from trainyard.models import (
    Attempt,
    Capacity,
    Event,
    Job,
    LogChunk,
    LogRange,
    LogSource,
    MetricPoint,
    Metrics,
    ModelVersion,
    Team,
    Template,
    TemplateSummary,
    Upload,
)
from trainyard.streams import Stream

_Model = TypeVar("_Model", bound=BaseModel)
_POINTS = TypeAdapter(list[MetricPoint])


class Client:
    """A connection to one Trainyard server; a context manager. Methods may be called from several threads.

    Every method raises `trainyard.errors.ApiError` (`NotFound`, `Conflict`, `ServerFailed` or the base) when the server refuses or fails,
    and `ServerUnreachable` when it does not answer. Requests that may safely be repeated are, when the connection breaks.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        patience: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Connect lazily.

        Args:
            url: the server; by default TRAINYARD_URL, then the running embedded platform.
            token: bearer token; by default TRAINYARD_TOKEN, TRAINYARD_TOKEN_FILE, then the embedded platform's.
            timeout: seconds to wait for one answer.
            patience: seconds to try again in all, when a server that did answer goes away.
            transport: for tests.
        """
        self._http = Http(connect(url, token), timeout=timeout, backoff=Backoff(patience=patience), transport=transport)

    @property
    def url(self) -> str:
        """The server's base URL."""
        return self._http.connection.url

    def close(self) -> None:
        """Close the connections."""
        self._http.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # --- jobs -------------------------------------------------------------------------------------------------------

    def submit(
        self,
        template: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        code: str | None = None,
        data: str | None = None,
        team: str | None = None,
        tags: Mapping[str, str] | None = None,
        retries: int = 0,
        deadline_seconds: int | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submit a job; sent again with the same key when the answer is lost, so that there is one job in the end.

        Args:
            template: the job kind.
            parameters: of the template; what is left out gets its default.
            name: for people; the server makes one by default.
            code, data: ids of uploads.
            team: whose job it is; the server's first team by default.
            tags: labels to find the job by.
            retries: attempts after the first one fails.
            deadline_seconds: after which an attempt is stopped.
            idempotency_key: the same key and job again give the same job; a random one by default.
        """
        body = {
            "template": template,
            "name": name,
            "parameters": dict(parameters or {}),
            "code": code,
            "data": data,
            "team": team,
            "tags": dict(tags or {}),
            "retries": retries,
            "deadline_seconds": deadline_seconds,
        }
        key = idempotency_key or str(uuid.uuid4())
        return self._one(Job, self._http.json("POST", "/jobs", json=body, headers={"Idempotency-Key": key}, repeatable=True))

    def list_jobs(
        self,
        *,
        states: Iterable[str] = (),
        template: str | None = None,
        team: str | None = None,
        tags: Mapping[str, str] | None = None,
        query: str | None = None,
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
            sort: `created_at`, `name` or `state`; `-` in front for descending.
            page_size: jobs per request.
        """
        wanted = {"state": [str(state) for state in states], "tag": [f"{key}:{value}" for key, value in (tags or {}).items()]}
        params: dict[str, Any] = {**wanted, "template": template, "team": team, "q": query, "sort": sort, "limit": page_size}
        params = {key: value for key, value in params.items() if value not in (None, [])}
        while True:
            page = self._http.json("GET", "/jobs", params=params)
            yield from self._many(Job, page)
            if not page.get("next_cursor"):
                return
            params["cursor"] = page["next_cursor"]

    def get_job(self, job_id: str) -> Job:
        """The job as it is now."""
        return self._one(Job, self._http.json("GET", _job(job_id)))

    def cancel_job(self, job_id: str) -> Job:
        """Ask for the job to stop; it may still run when this returns. Raises Conflict when it has ended."""
        return self._one(Job, self._http.json("POST", _job(job_id, "/cancel")))

    def retry_job(self, job_id: str) -> Job:
        """Run a failed or cancelled job again, from its last checkpoint. Raises Conflict in other states."""
        return self._one(Job, self._http.json("POST", _job(job_id, "/retry")))

    def clone_job(self, job_id: str, changes: Mapping[str, Any] | None = None) -> Job:
        """A new job like this one.

        Args:
            job_id: the job to copy.
            changes: fields of a submission to replace (`name`, `tags`, `data`...); `parameters` are merged into the old ones.
        """
        return self._one(Job, self._http.json("POST", _job(job_id, "/clone"), json=dict(changes or {})))

    def delete_job(self, job_id: str) -> None:
        """Remove an ended job with its logs and checkpoints. Raises Conflict while it is active."""
        self._http.json("DELETE", _job(job_id))

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

    # --- timeline, logs, metrics ------------------------------------------------------------------------------------

    def job_attempts(self, job_id: str) -> list[Attempt]:
        """Every attempt, first to last."""
        return self._many(Attempt, self._http.json("GET", _job(job_id, "/attempts")))

    def job_events(self, job_id: str) -> list[Event]:
        """The timeline so far, in order."""
        return self._many(Event, self._http.json("GET", _job(job_id, "/events")))

    def stream_events(self, job_id: str) -> Iterator[Event | Job]:
        """The timeline from its start and as it grows; the ended Job is last."""
        for event in Stream(self._http, _job(job_id, "/events/stream")):
            yield self._parsed(Job, event.data) if event.event == "end" else self._parsed(Event, event.data)

    def log_sources(self, job_id: str, *, attempt: int | None = None) -> list[LogSource]:
        """The logs that there are."""
        return self._many(LogSource, self._http.json("GET", _job(job_id, "/logs/sources"), params=_given(attempt=attempt)))

    def read_log(
        self, job_id: str, *, attempt: int | None = None, rank: str | int | None = None, offset: int = 0, limit: int | None = None
    ) -> LogRange:
        """At most `limit` bytes of a log from byte `offset` on; a negative offset counts from the end.

        Args:
            job_id: the job.
            attempt: the latest by default.
            rank: a number, or "driver"; 0 by default.
            offset, limit: bytes; the text is cut at a line's end where there is one.
        """
        params = _given(attempt=attempt, rank=rank, offset=offset, limit=limit)
        return self._one(LogRange, self._http.json("GET", _job(job_id, "/logs"), params=params))

    def stream_logs(
        self, job_id: str, *, attempt: int | None = None, rank: str | int | None = None, last_event_id: str | None = None
    ) -> Iterator[LogChunk | Job]:
        """A log from its start and as it grows, over all attempts unless one is given; the ended Job is last.

        Args:
            job_id: the job.
            attempt, rank: see `read_log`.
            last_event_id: `<attempt>:<offset>` to go on from.
        """
        stream = Stream(self._http, _job(job_id, "/logs/stream"), params=_given(attempt=attempt, rank=rank), last_event_id=last_event_id)
        for event in stream:
            yield self._parsed(Job, event.data) if event.event == "end" else self._parsed(LogChunk, event.data)

    def download_log(self, job_id: str, *, attempt: int | None = None, rank: str | int | None = None) -> Iterator[bytes]:
        """A whole log, byte for byte, in parts; see `read_log`."""
        return self._http.content(_job(job_id, "/logs/download"), params=_given(attempt=attempt, rank=rank))

    def get_metrics(self, job_id: str, *, keys: Iterable[str] = (), points: int | None = None) -> Metrics:
        """The job's metrics, at most `points` per series; all keys by default."""
        params = _given(key=list(keys) or None, points=points)
        return self._one(Metrics, self._http.json("GET", _job(job_id, "/metrics"), params=params))

    def stream_metrics(self, job_id: str, *, keys: Iterable[str] = ()) -> Iterator[list[MetricPoint] | Job]:
        """Metric points from the first on and as they come; the ended Job is last."""
        for event in Stream(self._http, _job(job_id, "/metrics/stream"), params=_given(key=list(keys) or None)):
            if event.event == "end":
                yield self._parsed(Job, event.data)
            else:
                yield _POINTS.validate_python(event.json()["points"])

    # --- uploads, catalogue -----------------------------------------------------------------------------------------

    def upload_code(self, path: Path, *, on_read: Callable[[int], None] | None = None) -> Upload:
        """Store a .zip of code; the same bytes again give the same upload. `on_read` gets the bytes sent so far."""
        return self._upload("/code", path, on_read)

    def upload_dataset(self, path: Path, *, on_read: Callable[[int], None] | None = None) -> Upload:
        """Store a data file; see `upload_code`."""
        return self._upload("/datasets", path, on_read)

    def list_code(self) -> list[Upload]:
        """Code archives, newest first."""
        return self._many(Upload, self._http.json("GET", "/code"))

    def list_datasets(self) -> list[Upload]:
        """Data sets, newest first."""
        return self._many(Upload, self._http.json("GET", "/datasets"))

    def get_dataset(self, upload_id: str) -> Upload:
        """One data set."""
        return self._one(Upload, self._http.json("GET", f"/datasets/{quote(upload_id, safe='')}"))

    def list_models(self, *, limit: int | None = None) -> list[ModelVersion]:
        """Registered models, newest first."""
        return self._many(ModelVersion, self._http.json("GET", "/models", params=_given(limit=limit)))

    def list_templates(self) -> list[TemplateSummary]:
        """The job kinds."""
        return self._many(TemplateSummary, self._http.json("GET", "/templates"))

    def get_template(self, name: str) -> Template:
        """One job kind, with its parameters' schema."""
        return self._one(Template, self._http.json("GET", f"/templates/{quote(name, safe='')}"))

    def list_teams(self) -> list[Team]:
        """The teams; the first is that of jobs that name none."""
        return list(self._many(Team, self._http.json("GET", "/teams")))

    def capacity(self) -> Capacity:
        """What the engine has, and has free."""
        return self._one(Capacity, self._http.json("GET", "/capacity"))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _upload(self, path: str, source: Path, on_read: Callable[[int], None] | None) -> Upload:
        try:
            handle = source.open("rb")
        except OSError as error:
            raise InvalidInput("file", f"{source} cannot be read: {error.strerror}", "name a readable file") from None
        with handle:
            file: Any = _CountingReader(handle, on_read) if on_read else handle
            return self._one(Upload, self._http.json("POST", path, files={"file": (source.name, file)}, repeatable=True, timeout=600.0))

    def _one(self, kind: type[_Model], body: Any) -> _Model:
        try:
            return kind.model_validate(body)
        except ValidationError as error:
            raise self._strange(kind, error) from error

    def _many(self, kind: type[_Model], body: Any) -> list[_Model]:
        try:
            return [kind.model_validate(item) for item in body["items"]]
        except (ValidationError, KeyError, TypeError) as error:
            raise self._strange(kind, error) from error

    def _parsed(self, kind: type[_Model], text: str) -> _Model:
        try:
            return kind.model_validate_json(text)
        except ValidationError as error:
            raise self._strange(kind, error) from error

    def _strange(self, kind: type[BaseModel], error: Exception) -> ServerFailed:
        reason = str(error).splitlines()[0]
        return ServerFailed(200, f"{self.url} sent a {kind.__name__} that this client cannot read; are both of one version? ({reason})")


class _CountingReader:
    """A file that tells how far it was read; rewinding starts the count afresh, as a repeated upload does."""

    def __init__(self, file: BinaryIO, on_read: Callable[[int], None]) -> None:
        self._file, self._on_read = file, on_read

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._on_read(self._file.tell())
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _job(job_id: str, below: str = "") -> str:
    if not job_id or job_id in (".", ".."):
        raise InvalidInput("job", f"{job_id!r} is not a job's id", "take one from `trainyard jobs`")
    return f"/jobs/{quote(job_id, safe='')}{below}"


def _given(**params: Any) -> dict[str, Any]:
    """The parameters that are set."""
    return {key: value for key, value in params.items() if value is not None}
