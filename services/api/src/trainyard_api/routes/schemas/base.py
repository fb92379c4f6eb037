"""The base of every model, and types that many of them share."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema


class ApiModel(BaseModel):
    """A model of the API: no fields beyond its own."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class RequestBody(ApiModel):
    """A JSON body: a number is no text, and a text no number."""

    model_config = ConfigDict(strict=True)


def plain_text(text: str) -> str:
    """The text, when it holds no control characters. Raises ValueError."""
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise ValueError("holds a control character; remove it")
    return text


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    PlainSerializer(_rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "description": "RFC 3339, UTC"}),
]
Detail = dict[str, Any]


class JobPath(BaseModel):
    """The job that a call is about."""

    job_id: str = Field(description="Id of a job")


class StreamQuery(BaseModel):
    """Where to resume a stream."""

    last_event_id: str = Field(default="", max_length=7000, description="Resume after this event; the header Last-Event-ID does the same")
