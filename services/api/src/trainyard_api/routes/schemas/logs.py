"""Logs."""

from typing import Annotated

from pydantic import ConfigDict, Field

from trainyard_api.routes.schemas.base import ApiModel, RequestParameters, StreamQuery

AttemptNumber = Annotated[int, Field(ge=1, le=1_000_000)]
Rank = Annotated[str, Field(pattern=r"^(driver|0|[1-9][0-9]{0,5})$", description='A rank\'s number, or "driver"')]


class SourcesQuery(RequestParameters):
    """Of which attempt; all of them by default."""

    attempt: AttemptNumber | None = None


class LogQuery(RequestParameters):
    """Which log: of the latest attempt and rank 0 by default."""

    attempt: AttemptNumber | None = None
    rank: Rank = "0"


class LogRangeQuery(LogQuery):
    """Which part of it."""

    offset: int = Field(default=0, ge=-(10**12), lt=10**12, description="First byte; negative: from the end")
    limit: int = Field(default=64 * 1024, ge=1, le=1024**2, description="At most so many bytes")


class LogStreamQuery(LogQuery, StreamQuery):
    """Which log to follow; without an attempt, from the latest on into later ones."""


class LogSourceView(ApiModel):
    """A log that can be read."""

    model_config = ConfigDict(title="LogSource", from_attributes=True)

    attempt: int
    rank: str
    size: int = Field(description="Bytes")


class LogSourceList(ApiModel):
    """The logs of a job."""

    items: list[LogSourceView]
    next_cursor: None = None


class LogRangeView(ApiModel):
    """A part of a log; bytes that are no UTF-8 are replaced."""

    model_config = ConfigDict(title="LogRange", from_attributes=True)

    attempt: int
    rank: str
    offset: int
    next_offset: int
    size: int
    content: str
    complete: bool = Field(description="The attempt has ended, and nothing follows")


class LogPieceView(ApiModel):
    """New text of a followed log."""

    model_config = ConfigDict(title="LogPiece", from_attributes=True, extra="ignore")

    attempt: int
    rank: str
    offset: int
    content: str
