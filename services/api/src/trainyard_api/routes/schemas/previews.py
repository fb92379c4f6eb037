"""What would become of a job."""

from typing import Literal

from pydantic import ConfigDict, Field

from trainyard_api.routes.schemas.base import ApiModel


class PreviewView(ApiModel):
    """What would become of a job that is submitted now."""

    model_config = ConfigDict(title="Preview", from_attributes=True)

    verdict: Literal["starts_now", "waits", "never"]
    reason: str
    ahead: int = Field(description="How many waiting jobs come before it")
