"""Templates, teams and capacity."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from trainyard_api.routes.schemas.base import ApiModel, Moment
from trainyard_api.store.models import CapacityRow
from trainyard_api.teams import Team
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
    allowed_images: list[str] | None = Field(description="Patterns of the images that its jobs may name; null: only the platform's own")
    max_jobs: int | None = Field(description="How many of its jobs may hold resources at a time; null: as many as fit")

    @classmethod
    def of(cls, team: Team) -> Self:
        """The team as the API shows it."""
        return cls.model_validate(team, extra="ignore")


class TeamList(ApiModel):
    """The teams."""

    items: list[TeamView]
    next_cursor: None = None


class WarmClusterView(ApiModel):
    """A Ray cluster that waits for the next job of its team, size and image."""

    model_config = ConfigDict(title="WarmCluster", extra="ignore")

    team: str
    image: str | None = Field(description="What its job runs in; null: the platform's own image")
    ready: bool = Field(description="False while it starts")
    workers: int
    cpus_per_worker: float
    gpus_per_worker: float
    memory_gb_per_worker: float | None


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
    warm_clusters: list[WarmClusterView] = Field(description="They leave when a job needs their room, which counts as free")
    recorded_at: Moment

    @classmethod
    def of(cls, row: CapacityRow) -> Self:
        """The capacity as the API shows it."""
        known = {"warm_clusters": []} | {name: value for name, value in row.detail.items() if name in cls.model_fields}
        return cls(engine=row.engine, recorded_at=row.recorded_at, **known)
