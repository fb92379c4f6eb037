"""Health and readiness."""

from typing import Literal

from pydantic import ConfigDict, Field

from trainyard_api.routes.schemas.base import ApiModel, RequestParameters


class Health(ApiModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class PartView(ApiModel):
    """One part that the API depends on."""

    model_config = ConfigDict(title="Part", from_attributes=True)

    ok: bool
    detail: str | None


class ReadinessQuery(RequestParameters):
    """What to look at."""

    part: Literal["database", "object_store", "controller", "engine", "mlflow"] | None = Field(
        None, description="Only this one; all parts by default"
    )


class Readiness(ApiModel):
    """Whether every part can be used, and which cannot."""

    ok: bool
    parts: dict[str, PartView]
