"""What the API answers, typed. Fields that a newer server adds are ignored; times are aware datetimes in UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from trainyard.states import JobState


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class RegisteredModel(_Answer):
    """Name and version in the model registry."""

    name: str
    version: str


class Job(_Answer):
    """One job."""

    id: str
    name: str
    template: str
    team: str = "default"
    state: JobState
    reason: str | None = None
    parameters: dict[str, Any] = {}
    tags: dict[str, str] = {}
    resources: dict[str, Any] = {}
    code: str | None = None
    data: str | None = None
    retries: int = 0
    deadline_seconds: int | None = None
    attempt: int = 0
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested: bool = False
    mlflow_run_id: str | None = None
    mlflow_url: str | None = None
    model: RegisteredModel | None = None


class Attempt(_Answer):
    """One try at running a job; `tail` holds its last lines when it failed."""

    number: int
    submission_id: str
    created_at: datetime
    finished_at: datetime | None = None
    outcome: str | None = None
    reason: str | None = None
    failed_rank: int | None = None
    tail: list[str] | None = None


class Event(_Answer):
    """One entry of a job's timeline. `kind` is `stage`, `state`, `failure`, `checkpoint` or `heartbeat`."""

    id: int
    attempt: int
    time: datetime
    kind: str
    name: str
    detail: dict[str, Any] = {}


class LogSource(_Answer):
    """A log that can be read: of a rank, or of the driver; size in bytes."""

    attempt: int
    rank: str
    size: int


class LogRange(_Answer):
    """A part of a log. Offsets and size are bytes; `complete`: the attempt has ended and this is its last part."""

    attempt: int
    rank: str
    offset: int
    next_offset: int
    size: int
    content: str
    complete: bool


class LogChunk(_Answer):
    """New text of a followed log, from byte `offset` on."""

    attempt: int
    rank: str
    offset: int
    content: str


class Series(_Answer):
    """One metric, downsampled; `count` is how many points it has in all, timestamps are Unix milliseconds."""

    key: str
    count: int
    steps: list[int]
    values: list[float | None]
    timestamps: list[int]


class Metrics(_Answer):
    """All series of a job's run."""

    run_id: str | None = None
    series: list[Series] = []


class MetricPoint(_Answer):
    """One value of a metric; NaN is None, the timestamp is Unix milliseconds."""

    key: str
    step: int
    value: float | None
    timestamp: int


class TemplateSummary(_Answer):
    """A job kind."""

    name: str
    title: str
    description: str
    needs_code: bool
    takes_data: bool


class Template(TemplateSummary):
    """A job kind with the JSON Schema (2020-12) of its parameters."""

    parameters: dict[str, Any]


class Team(_Answer):
    """A team: its queue in the cluster, the only job kinds that it may submit, and how many jobs it may run; None: no limit."""

    name: str
    queue: str | None = None
    allowed_templates: list[str] | None = None
    max_jobs: int | None = None


class Upload(_Answer):
    """A stored code archive or data set; the id is the sha256 of its bytes, size in bytes."""

    id: str
    name: str
    size: int
    files: list[str] = []
    created_at: datetime


class ModelVersion(_Answer):
    """A version in the model registry."""

    name: str
    version: str
    uri: str | None = None
    run_id: str | None = None
    job_id: str | None = None
    metrics: dict[str, float | None] = {}
    created_at: datetime | None = None


class Capacity(_Answer):
    """What the engine has and has free: cores, GPUs, GiB of memory."""

    engine: str
    cpus: float
    gpus: float
    memory_gb: float
    cpus_free: float
    gpus_free: float
    memory_gb_free: float
    nodes: list[dict[str, Any]] = []
    recorded_at: datetime
