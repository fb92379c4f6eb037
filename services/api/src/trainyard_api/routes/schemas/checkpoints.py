"""Checkpoints: which stay, what there is, and what a job starts from."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field

from trainyard_api.routes.schemas.base import ApiModel, JobPath, Moment, RequestBody
from trainyard_api.services.checkpoints import LARGEST_STEP, ListedCheckpoint
from trainyard_templates import CheckpointPolicy

Step = Annotated[int, Field(ge=0, le=LARGEST_STEP, description="The optimizer step that it was saved at")]


class CheckpointPolicyRequest(RequestBody, CheckpointPolicy):
    """Which checkpoints stay: the newest ``keep``, and the best one by ``best_metric``."""


class ResumeRequest(RequestBody):
    """A checkpoint of another job."""

    job: str = Field(min_length=1, max_length=64, description="Id of the job that saved it")
    step: Step | None = Field(default=None, description="The newest when null")


class ResumedFrom(ApiModel):
    """The checkpoint that a job starts from."""

    job: str
    step: int


class CheckpointPath(JobPath):
    """The checkpoint that a call is about."""

    step: Step


class CheckpointFile(ApiModel):
    """One file of a checkpoint."""

    name: str
    size: int = Field(description="Bytes")


class CheckpointView(ApiModel):
    """One whole checkpoint."""

    model_config = ConfigDict(title="Checkpoint")

    step: int
    created_at: Moment
    attempt: int
    size: int = Field(description="Bytes of all files")
    files: list[CheckpointFile]
    metrics: dict[str, float] = Field(description="What was reported together with it")
    best: bool = Field(description="The best by the job's best_metric")
    latest: bool = Field(description="The one that the job would go on from")

    @classmethod
    def of(cls, listed: ListedCheckpoint) -> Self:
        """The checkpoint as the API shows it."""
        found = listed.checkpoint
        return cls(
            step=found.step,
            created_at=found.created_at,
            attempt=found.attempt,
            size=found.size,
            files=[CheckpointFile(name=file.name, size=file.size) for file in found.files],
            metrics=found.metrics,
            best=listed.best,
            latest=listed.latest,
        )


class CheckpointList(ApiModel):
    """The whole checkpoints of a job, newest first."""

    items: list[CheckpointView]
    next_cursor: None = None
