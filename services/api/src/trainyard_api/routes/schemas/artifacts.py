"""Files of a job's MLflow run, and stack dumps of its ranks."""

from typing import Annotated

from pydantic import ConfigDict, Field

from trainyard_api.routes.schemas.base import ApiModel, RequestParameters

ArtifactPath = Annotated[str, Field(max_length=2000)]


class ArtifactsQuery(RequestParameters):
    """Which folder."""

    path: ArtifactPath = Field(default="", description="A folder of the run; its top when empty")


class ArtifactQuery(RequestParameters):
    """Which file."""

    path: ArtifactPath = Field(min_length=1, description="A file of the run")


class ArtifactView(ApiModel):
    """A file or a folder of a run."""

    model_config = ConfigDict(title="Artifact", from_attributes=True)

    path: str
    name: str
    is_dir: bool
    size: int | None = Field(description="Bytes; null for a folder")


class ArtifactList(ApiModel):
    """What a folder of a run holds, by name."""

    run_id: str | None = Field(description="The job's run; null while it has none")
    path: str
    items: list[ArtifactView]
    next_cursor: None = None


class StackView(ApiModel):
    """Where every thread of a rank stood when it hung."""

    model_config = ConfigDict(title="Stack", from_attributes=True)

    attempt: int
    rank: int
    content: str


class StackList(ApiModel):
    """Stack dumps, by attempt and rank."""

    items: list[StackView]
    next_cursor: None = None
