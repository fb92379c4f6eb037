"""The base of every model, and types that many of them share."""

import functools
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)


class ApiModel(BaseModel):
    """A model of the API: no fields beyond its own."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class RequestBody(ApiModel):
    """A JSON body: a number is no text, and a text no number."""

    model_config = ConfigDict(strict=True)


class RequestParameters(BaseModel):
    """Parameters of a query or a header. Their schema, for which flask-openapi asks in every request, is made once."""

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        """As pydantic's; not to be changed by who asks."""
        return super().model_json_schema(*args, **options) if args or options else _plain_schema(cls)


@functools.cache
def _plain_schema(model: type[RequestParameters]) -> dict[str, Any]:
    return super(RequestParameters, model).model_json_schema()


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


def _given_moment(text: Any) -> Any:
    if not isinstance(text, str) or not _RFC3339.match(text):
        raise ValueError("is not a time with its zone; write it like 2026-01-31T09:00:00Z (a + in an address is %2B)")
    return text


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range in UTC") from error


GivenMoment = Annotated[
    datetime,
    BeforeValidator(_given_moment),
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "format": "date-time", "description": "RFC 3339"}),
]
Detail = dict[str, Any]


class JobPath(BaseModel):
    """The job that a call is about."""

    job_id: str = Field(description="Id of a job")


class StreamQuery(RequestParameters):
    """Where to resume a stream."""

    last_event_id: str = Field(default="", max_length=7000, description="Resume after this event; the header Last-Event-ID does the same")
