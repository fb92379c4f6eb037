"""Jobs, their attempts and their timeline."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field

from trainyard_api.failures import FailureKind
from trainyard_api.images import LONGEST
from trainyard_api.routes.schemas.base import ApiModel, Detail, GivenMoment, Moment, RequestBody, RequestParameters, plain_text
from trainyard_api.routes.schemas.checkpoints import CheckpointPolicyRequest, ResumedFrom, ResumeRequest
from trainyard_api.settings import Settings
from trainyard_api.store.models import TAG_KEY_LENGTH, TAG_VALUE_LENGTH, Attempt, Event, Job
from trainyard_api.store.states import JobState
from trainyard_templates import CheckpointPolicy, ResourceSpec

TemplateName = Annotated[str, Field(min_length=1, max_length=100, examples=["image-classification"])]
JobName = Annotated[str, Field(min_length=1, max_length=250), AfterValidator(plain_text)]
TeamName = Annotated[str, Field(min_length=1, max_length=63, description="GET /teams lists them")]
UploadId = Annotated[str, Field(min_length=1, max_length=64, description="Id of an upload (sha256)")]
TagKey = Annotated[str, Field(min_length=1, max_length=TAG_KEY_LENGTH)]
Tags = Annotated[dict[TagKey, Annotated[str, Field(max_length=TAG_VALUE_LENGTH)]], Field(max_length=100)]
Retries = Annotated[int, Field(ge=0, le=20, description="Further attempts after one that failed")]
Deadline = Annotated[int, Field(ge=1, le=30 * 24 * 3600, description="Seconds that one attempt may take")]


ImageName = Annotated[str, Field(min_length=1, max_length=LONGEST, description="Of a team's allowed images; the platform's own when null")]


class JobRequest(RequestBody):
    """A new job."""

    template: TemplateName
    name: JobName | None = Field(default=None, description="Derived from the template and the id when null")
    parameters: dict[str, Any] = Field(default={}, description="Of the template; GET /templates/{name} has their JSON Schema")
    code: UploadId | None = None
    data: UploadId | None = None
    image: ImageName | None = None
    team: TeamName | None = Field(default=None, description="The first of GET /teams when null")
    tags: Tags = {}
    retries: Retries = 0
    deadline_seconds: Deadline | None = None
    resume: ResumeRequest | None = Field(default=None, description="Start from a checkpoint of another job; from nothing when null")
    checkpoints: CheckpointPolicyRequest | None = Field(default=None, description="Which checkpoints stay; the newest two when null")


class CloneRequest(RequestBody):
    """The fields in which the new job differs; ``parameters`` are merged, and ``resume`` is never taken over."""

    template: TemplateName | None = None
    name: JobName | None = None
    parameters: dict[str, Any] = {}
    code: UploadId | None = None
    data: UploadId | None = None
    image: ImageName | None = None
    team: TeamName | None = None
    tags: Tags = {}
    retries: Retries = 0
    deadline_seconds: Deadline | None = None
    resume: ResumeRequest | None = None
    checkpoints: CheckpointPolicyRequest | None = None

    def changes(self) -> dict[str, Any]:
        """The fields that were given."""
        given = self.model_dump(exclude_unset=True)
        return {name: value for name, value in given.items() if value is not None or name not in ("template", "team")}


class IdempotencyHeader(RequestParameters):
    """Makes repeated POSTs one job."""

    model_config = ConfigDict(extra="ignore")

    idempotency_key: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x20-\x7e]+$")] | None = Field(
        default=None, alias="Idempotency-Key", description="The same key and body again answer the job that they made"
    )


class JobsQuery(RequestParameters):
    """Which jobs, in which order."""

    state: list[JobState] = Field(default=[], max_length=20, description="In any of these states")
    template: str = Field(default="", max_length=100)
    team: str = Field(default="", max_length=63)
    tag: list[Annotated[str, Field(pattern=r"^[^:]+:", max_length=400)]] = Field(
        default=[], max_length=20, description="key:value; with all of these tags"
    )
    q: str = Field(default="", max_length=250, description="Part of the name, or start of the id")
    created_after: GivenMoment | None = Field(default=None, description="Submitted after this time (RFC 3339)")
    created_before: GivenMoment | None = Field(default=None, description="Submitted before this time (RFC 3339)")
    sort: Literal["created_at", "-created_at", "name", "-name", "state", "-state"] = "-created_at"
    cursor: str = Field(default="", max_length=2000, description="next_cursor of the page before")
    limit: int = Field(default=50, ge=1, le=500)


class RegisteredModel(ApiModel):
    """Where the job's model is in the registry."""

    name: str
    version: str


class JobView(ApiModel):
    """A job."""

    model_config = ConfigDict(title="Job")

    id: str
    name: str
    template: str
    team: str
    state: JobState
    reason: str | None = Field(description="Why it waits, failed or was cancelled")
    parameters: dict[str, Any]
    tags: dict[str, str]
    resources: ResourceSpec
    code: str | None
    data: str | None
    image: str | None = Field(description="The container image that it runs in; null: the platform's own")
    retries: int
    deadline_seconds: int | None
    resume: ResumedFrom | None = Field(description="The checkpoint of another job that it starts from; null: from nothing")
    checkpoints: CheckpointPolicy | None = Field(description="Which of its checkpoints stay; null: the newest two")
    attempt: int = Field(description="Number of the latest attempt; 0 before the first")
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    cancel_requested: bool
    mlflow_run_id: str | None
    mlflow_url: str | None
    model: RegisteredModel | None

    @classmethod
    def of(cls, job: Job, settings: Settings) -> Self:
        """The job as the API shows it."""
        url = None
        if job.mlflow_run_id and job.mlflow_experiment_id:
            url = f"{settings.mlflow_browser_url}/#/experiments/{job.mlflow_experiment_id}/runs/{job.mlflow_run_id}"
        model = RegisteredModel(name=job.model_name, version=job.model_version) if job.model_name and job.model_version else None
        made_here = ("resources", "resume", "checkpoints", "cancel_requested", "mlflow_url", "model")
        same = {name: getattr(job, name) for name in cls.model_fields if name not in made_here}
        return cls(
            **same,
            resources=ResourceSpec.model_validate(job.resources),
            resume=None if job.resume_job is None or job.resume_step is None else ResumedFrom(job=job.resume_job, step=job.resume_step),
            checkpoints=None if job.checkpoints is None else CheckpointPolicy.model_validate(job.checkpoints),
            cancel_requested=job.cancel_requested_at is not None,
            mlflow_url=url,
            model=model,
        )


class JobPage(ApiModel):
    """One page of jobs."""

    items: list[JobView]
    next_cursor: str | None


class AttemptView(ApiModel):
    """One try at running a job."""

    model_config = ConfigDict(title="Attempt", from_attributes=True)

    number: int
    submission_id: str
    workers: int = Field(description="How many it has: fewer than asked for when an elastic job found no room for all")
    created_at: Moment
    finished_at: Moment | None
    outcome: Literal["succeeded", "failed", "cancelled", "resized"] | None = Field(
        description="resized: an elastic job went on with more workers; not a failure"
    )
    reason: str | None
    failure_kind: FailureKind | None = Field(description="Why it failed; infrastructure and hung do not count against the job's retries")
    failed_rank: int | None
    tail: list[str] | None = Field(description="Its last lines, when it failed")

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """The attempt as the API shows it."""
        return cls.model_validate(attempt, extra="ignore")


class AttemptList(ApiModel):
    """Every attempt of a job, first to last."""

    items: list[AttemptView]
    next_cursor: None = None


class EventView(ApiModel):
    """One entry of a timeline."""

    model_config = ConfigDict(title="Event", from_attributes=True)

    id: int
    attempt: int
    time: Moment
    kind: str = Field(examples=["stage", "state", "failure", "checkpoint", "heartbeat"])
    name: str
    detail: Detail

    @classmethod
    def of(cls, event: Event) -> Self:
        """The entry as the API shows it."""
        return cls.model_validate(event, extra="ignore")


class EventList(ApiModel):
    """A whole timeline, in order."""

    items: list[EventView]
    next_cursor: None = None
