"""Templates, uploads, models and capacity."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from flask_openapi.models.file import FileStorage
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from werkzeug.datastructures import FileStorage as WerkzeugFile

from trainyard_api.routes.schemas.base import ApiModel, Moment
from trainyard_api.services.metrics import plain
from trainyard_api.store.models import CapacityRow, Upload
from trainyard_api.teams import Team
from trainyard_api.tracking import ModelVersion
from trainyard_templates import Template


class TemplatePath(BaseModel):
    """The template that a call is about."""

    name: str = Field(description="Name of a template")


class TemplateSummary(ApiModel):
    """A job kind."""

    name: str
    title: str
    description: str
    needs_code: bool
    takes_data: bool

    @classmethod
    def of(cls, template: Template) -> Self:
        """The template as the API shows it."""
        return cls(**{name: getattr(template, name) for name in TemplateSummary.model_fields})


class TemplateView(TemplateSummary):
    """A job kind with its parameters."""

    model_config = ConfigDict(title="Template")

    parameters: dict[str, Any] = Field(description="JSON Schema 2020-12 of the parameters")

    @classmethod
    def of(cls, template: Template) -> Self:
        """The template as the API shows it."""
        return cls(**TemplateSummary.of(template).model_dump(), parameters=template.schema())


class TemplateList(ApiModel):
    """The job kinds."""

    items: list[TemplateSummary]
    next_cursor: None = None


class TeamView(ApiModel):
    """A team, and what it may submit."""

    model_config = ConfigDict(title="Team", from_attributes=True)

    name: str
    queue: str | None = Field(description="Its queue in the cluster; null: the platform decides what starts when")
    allowed_templates: list[str] | None = Field(description="The only job kinds that it may submit; null: all")
    max_jobs: int | None = Field(description="How many of its jobs may hold resources at a time; null: as many as fit")

    @classmethod
    def of(cls, team: Team) -> Self:
        """The team as the API shows it."""
        return cls.model_validate(team, extra="ignore")


class TeamList(ApiModel):
    """The teams."""

    items: list[TeamView]
    next_cursor: None = None


def _is_a_file(value: Any) -> Any:
    if not isinstance(value, WerkzeugFile) or not value.filename:
        raise ValueError("is not a file; send it as a part with a filename")
    return value


class UploadForm(ApiModel):
    """One file."""

    file: Annotated[FileStorage, AfterValidator(_is_a_file)] = Field(description="The file, with its name")


class UploadPath(BaseModel):
    """The upload that a call is about."""

    upload_id: str = Field(description="sha256 of the bytes")


class UploadView(ApiModel):
    """A stored code archive or data set."""

    model_config = ConfigDict(title="Upload", from_attributes=True)

    id: str = Field(description="sha256 of the bytes")
    name: str
    size: int = Field(description="Bytes")
    files: list[str]
    created_at: Moment

    @classmethod
    def of(cls, upload: Upload) -> Self:
        """The upload as the API shows it."""
        return cls.model_validate(upload, extra="ignore")


class UploadList(ApiModel):
    """Uploads, newest first, at most 1,000."""

    items: list[UploadView]
    next_cursor: None = None


class ModelsQuery(BaseModel):
    """How many."""

    limit: int = Field(default=100, ge=1, le=1000)


class ModelVersionView(ApiModel):
    """One version of a registered model."""

    model_config = ConfigDict(title="ModelVersion")

    name: str
    version: str
    uri: str
    run_id: str | None
    job_id: str | None
    metrics: dict[str, float | None]
    created_at: Moment

    @classmethod
    def of(cls, version: ModelVersion) -> Self:
        """The version as the API shows it."""
        return cls(
            name=version.name,
            version=version.version,
            uri=version.uri,
            run_id=version.run_id or None,
            job_id=version.job_id,
            metrics={key: plain(value) for key, value in version.metrics.items()},
            created_at=datetime.fromtimestamp(version.created_at / 1000, UTC),
        )


class ModelList(ApiModel):
    """Model versions, newest first."""

    items: list[ModelVersionView]
    next_cursor: None = None


class CapacityView(ApiModel):
    """What the engine has and has free: CPU cores, GPUs and GiB of memory."""

    model_config = ConfigDict(title="Capacity")

    engine: str
    cpus: float
    gpus: float
    memory_gb: float
    cpus_free: float
    gpus_free: float
    memory_gb_free: float
    nodes: list[dict[str, Any]]
    recorded_at: Moment

    @classmethod
    def of(cls, row: CapacityRow) -> Self:
        """The capacity as the API shows it."""
        known = {name: value for name, value in row.detail.items() if name in cls.model_fields}
        return cls(engine=row.engine, recorded_at=row.recorded_at, **known)
