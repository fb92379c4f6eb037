"""Registered models, their versions and aliases."""

from datetime import UTC, datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from trainyard_api.routes.schemas.base import ApiModel, Moment, RequestBody, RequestParameters
from trainyard_api.services.metrics import plain
from trainyard_api.tracking import ModelVersion, RegisteredModel


class ModelsQuery(RequestParameters):
    """Which versions, and how many."""

    name: str = Field(default="", max_length=250, description="Only of this model")
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
    aliases: list[str]
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
            aliases=sorted(version.aliases),
            created_at=datetime.fromtimestamp(version.created_at / 1000, UTC),
        )


class ModelList(ApiModel):
    """Model versions, newest first."""

    items: list[ModelVersionView]
    next_cursor: None = None


class ModelPath(BaseModel):
    """The model that a call is about."""

    name: str = Field(description="Name of a registered model")


class AliasPath(ModelPath):
    """One alias of it."""

    alias: str = Field(description="A name for one of its versions, such as champion")


class AliasRequest(RequestBody):
    """The version that the alias is to lead to."""

    version: str = Field(min_length=1, max_length=32, examples=["3"])


class ModelView(ApiModel):
    """A registered model."""

    model_config = ConfigDict(title="Model")

    name: str
    aliases: dict[str, str] = Field(description="The version that each alias leads to")
    versions: list[ModelVersionView] = Field(description="Newest first, at most 1,000")

    @classmethod
    def of(cls, model: RegisteredModel) -> Self:
        """The model as the API shows it."""
        return cls(name=model.name, aliases=model.aliases, versions=[ModelVersionView.of(version) for version in model.versions])
