"""The tables, as typed SQLAlchemy 2 models. Every time is UTC with microseconds on both databases."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, ForeignKey, Index, MetaData, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, defer, mapped_column
from sqlalchemy.types import TypeDecorator

from trainyard_api.store.states import JobState

#: Longest key and value of a tag; both fit into one index entry on every database.
TAG_KEY_LENGTH = 100
TAG_VALUE_LENGTH = 250


def utcnow() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite keeps it naive, so the zone is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive values and store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime given to the store")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give every value its zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Common base: constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[str]: JSON}


class Job(Base):
    """One accepted job."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(250))
    template: Mapped[str] = mapped_column(String(100))
    team: Mapped[str] = mapped_column(String(63), server_default="default")
    state_name: Mapped[str] = mapped_column("state", String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    parameters: Mapped[dict[str, Any]]
    tags: Mapped[dict[str, Any]]
    #: The rendered RunSpec, which the engine hands to the trainer.
    spec: Mapped[dict[str, Any]]
    resources: Mapped[dict[str, Any]]
    code: Mapped[str | None] = mapped_column(String(64))
    data: Mapped[str | None] = mapped_column(String(64))
    #: The container image that it runs in; None: the platform's.
    image: Mapped[str | None] = mapped_column(String(512))
    retries: Mapped[int]
    deadline_seconds: Mapped[int | None]
    #: The checkpoint of another job that it starts from; both None: from nothing.
    resume_job: Mapped[str | None] = mapped_column(String(32))
    resume_step: Mapped[int | None] = mapped_column(BigInteger)
    #: Which of its checkpoints stay, as the user said it; None: the default.
    checkpoints: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: Number of the latest attempt; 0 before the first.
    attempt: Mapped[int] = mapped_column(default=0)
    #: Attempts that count against ``retries`` start after this one; a user's retry moves it up.
    attempts_before_retry: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    #: Set by a user's cancel while the job starts or runs; the controller stops the engine's job.
    cancel_requested_at: Mapped[datetime | None]
    #: A RETRYING job is left alone until then (backoff).
    not_before: Mapped[datetime | None]
    #: Set by the controller when a terminal job's MLflow run is closed.
    settled_at: Mapped[datetime | None]
    mlflow_run_id: Mapped[str | None] = mapped_column(String(64))
    mlflow_experiment_id: Mapped[str | None] = mapped_column(String(64))
    model_name: Mapped[str | None] = mapped_column(String(250))
    model_version: Mapped[str | None] = mapped_column(String(32))

    #: Each way to list jobs reads its rows in order from one index; the controller's own list is the partial one.
    __table_args__ = (
        Index("ix_jobs_created_at_id", "created_at", "id"),
        Index("ix_jobs_name_id", "name", "id"),
        Index("ix_jobs_state_created_at_id", "state", "created_at", "id"),
        Index("ix_jobs_template_created_at_id", "template", "created_at", "id"),
        Index("ix_jobs_team_created_at_id", "team", "created_at", "id"),
        Index(
            "ix_jobs_unsettled",
            "created_at",
            "id",
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
    )

    @property
    def state(self) -> JobState:
        """The state as an enum member."""
        return JobState(self.state_name)


#: Options of a query for jobs without what they run, which is most of their rows: of thousands that wait, few need it.
WITHOUT_CONTENT = (defer(Job.spec, raiseload=True), defer(Job.parameters, raiseload=True))


class JobTag(Base):
    """One tag of one job, for filtering; ``Job.tags`` holds the same for showing. A tag never changes."""

    __tablename__ = "job_tags"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(TAG_KEY_LENGTH), primary_key=True)
    value: Mapped[str] = mapped_column(String(TAG_VALUE_LENGTH))

    __table_args__ = (Index("ix_job_tags_key_value_job_id", "key", "value", "job_id"),)


class Attempt(Base):
    """One try at running a job. Until ``cleaned_at`` is set, something of it may run and holds resources."""

    __tablename__ = "attempts"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[str] = mapped_column(String(80), unique=True)
    #: How many workers were admitted: between the job's fewest and its workers.
    workers: Mapped[int]
    created_at: Mapped[datetime]
    #: Since when it may hold resources; None while a queue of the engine's own holds it back.
    admitted_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    #: "succeeded", "failed", "cancelled" or "resized"; None while it runs.
    outcome: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    #: A FailureKind: why it failed, or why the controller wants it ended.
    failure_kind: Mapped[str | None] = mapped_column(String(16))
    failed_rank: Mapped[int | None]
    tail: Mapped[list[str] | None] = mapped_column(JSON)
    #: What the engine needs to find its job again; None until the engine has confirmed the submission.
    handle: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    #: Since when the controller wants it ended, and why (None: its result is there, only the driver lingers).
    stop_requested_at: Mapped[datetime | None]
    stop_reason: Mapped[str | None] = mapped_column(Text)
    #: It is stopped so that the next attempt has this many workers.
    resize_to: Mapped[int | None]
    #: Set when the engine's job has ended and is deleted.
    cleaned_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "ix_attempts_uncleaned",
            "job_id",
            "number",
            sqlite_where=text("cleaned_at IS NULL"),
            postgresql_where=text("cleaned_at IS NULL"),
        ),
    )


class WarmCluster(Base):
    """A Ray cluster that waits for a job of its team. Until the row is gone, something of it may run and holds resources.

    Giving it to a job removes the row: the job's attempt, which gets the handle, is answerable for it then.
    """

    __tablename__ = "warm_clusters"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    team: Mapped[str] = mapped_column(String(63))
    #: Digest of all that decides how it was started: one that would be started in another way today is not given away.
    recipe: Mapped[str] = mapped_column(String(64))
    image: Mapped[str | None] = mapped_column(String(512))
    resources: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    #: What the engine needs to find it again; None until the engine has confirmed the submission.
    handle: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    #: Since when it waits for a job; None while it starts.
    ready_at: Mapped[datetime | None]
    #: Since when it is to end.
    dropped_at: Mapped[datetime | None]

    @property
    def workers(self) -> int:
        """How many workers it has."""
        return int(self.resources["workers"])

    @property
    def submission_id(self) -> str:
        """What the engine knows it by: an attempt before the first one, of a job that is not known yet."""
        return f"ty-{self.id}-0"


class Event(Base):
    """One entry of a job's timeline; ``seq`` is set for events the trainer wrote and makes reading them idempotent."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    seq: Mapped[int | None]
    time: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(250))
    detail: Mapped[dict[str, Any]]

    __table_args__ = (UniqueConstraint("job_id", "attempt", "seq"), Index("ix_events_job_id_id", "job_id", "id"))


class IdempotencyKey(Base):
    """Which job a client's key made, and from which body."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]


class Upload(Base):
    """One uploaded code archive or data set; the id is the sha256 of the stored bytes."""

    __tablename__ = "uploads"

    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(250))
    key: Mapped[str] = mapped_column(String(400))
    size: Mapped[int]
    files: Mapped[list[str]]
    created_at: Mapped[datetime]
    #: The git repository ("url") and "commit" that it was fetched from; None: it was uploaded.
    source: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class ControllerLease(Base):
    """Who may advance jobs; one row. ``token`` grows with every new holder and fences off the previous one."""

    __tablename__ = "controller_lease"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(200))
    token: Mapped[int]
    expires_at: Mapped[datetime]


class CapacityRow(Base):
    """The engine's latest capacity as the controller saw it; one row."""

    __tablename__ = "capacity"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    engine: Mapped[str] = mapped_column(String(32))
    detail: Mapped[dict[str, Any]]
    recorded_at: Mapped[datetime]
