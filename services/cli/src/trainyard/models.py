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


class CheckpointPolicy(_Answer):
    """Which checkpoints stay: the newest `keep`, and the best one by `best_metric` (`best_mode`: min or max) where that is named."""

    keep: int = 2
    best_metric: str | None = None
    best_mode: str = "min"


class ResumedFrom(_Answer):
    """The checkpoint of another job that a job starts from."""

    job: str
    step: int


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
    image: str | None = None
    retries: int = 0
    deadline_seconds: int | None = None
    resume: ResumedFrom | None = None
    checkpoints: CheckpointPolicy | None = None
    attempt: int = 0
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested: bool = False
    mlflow_run_id: str | None = None
    mlflow_url: str | None = None
    model: RegisteredModel | None = None


class Preview(_Answer):
    """What would become of a job: `verdict` is `starts_now`, `waits` or `never`; `ahead` counts the jobs that come before it."""

    verdict: str
    reason: str
    ahead: int = 0


class Attempt(_Answer):
    """One try at running a job; `tail` holds its last lines when it failed."""

    number: int
    submission_id: str
    workers: int | None = None
    created_at: datetime
    finished_at: datetime | None = None
    outcome: str | None = None
    reason: str | None = None
    failure_kind: str | None = None
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


class CheckpointFile(_Answer):
    """One file of a checkpoint; size in bytes."""

    name: str
    size: int


class Checkpoint(_Answer):
    """A whole checkpoint; `metrics` were reported together with it, `latest` is the one that its job would go on from."""

    step: int
    created_at: datetime
    attempt: int
    size: int
    files: list[CheckpointFile] = []
    metrics: dict[str, float] = {}
    best: bool = False
    latest: bool = False


class Artifact(_Answer):
    """A file or folder of a run; size in bytes, None for a folder."""

    path: str
    name: str
    is_dir: bool
    size: int | None = None


class Stack(_Answer):
    """Where the threads of a rank that hung stood."""

    attempt: int
    rank: int
    content: str


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
    """A team: its queue in the cluster, the only job kinds that it may submit, and how many jobs it may run; None: no limit.

    `allowed_images` are patterns of the images that its jobs may name; None: they run in the platform's own.
    """

    name: str
    queue: str | None = None
    allowed_templates: list[str] | None = None
    allowed_images: list[str] | None = None
    max_jobs: int | None = None


class GitSource(_Answer):
    """The repository and commit that code was fetched from."""

    url: str
    commit: str


class Upload(_Answer):
    """A stored code archive or data set; the id is the sha256 of its bytes, size in bytes; `source` of code that came from git."""

    id: str
    name: str
    size: int
    files: list[str] = []
    created_at: datetime
    source: GitSource | None = None


class ModelVersion(_Answer):
    """A version in the model registry."""

    name: str
    version: str
    uri: str | None = None
    run_id: str | None = None
    job_id: str | None = None
    metrics: dict[str, float | None] = {}
    aliases: list[str] = []
    created_at: datetime | None = None


class Model(_Answer):
    """A registered model: the version that each alias leads to, and its versions, newest first."""

    name: str
    aliases: dict[str, str] = {}
    versions: list[ModelVersion] = []


class WarmCluster(_Answer):
    """A Ray cluster that waits for the next job of its team, size and image; ``ready`` is False while it starts."""

    team: str
    image: str | None = None
    ready: bool
    workers: int
    cpus_per_worker: float
    gpus_per_worker: float
    memory_gb_per_worker: float | None = None


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
    #: They leave when a job needs their room, which counts as free.
    warm_clusters: list[WarmCluster] = []
    recorded_at: datetime
