"""Answers: pydantic models as JSON, and what the OpenAPI document says about every status."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from flask import Response
from pydantic import BaseModel

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
#: May come from every call: no token, an unknown query parameter, a bug, a part that does not answer.
_ALWAYS = (401, 422, 500, 503)
_BODY = (400, 413, 415)

Documented = dict[Any, Any]


def answer(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The model as JSON; numbers that JSON cannot hold become null."""
    return Response(model.model_dump_json(), status, headers, mimetype="application/json")


def attachment(content: Iterator[bytes], name: str, *, size: int | None = None, mimetype: str = "application/octet-stream") -> Response:
    """A file to be saved, never shown, sent as it comes. What the first piece of it raises is raised here, so that it has its status."""
    first = next(content, b"")
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    headers = {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"}
    if size is not None:
        headers["Content-Length"] = str(size)
    return Response(_all(first, content), mimetype=mimetype, headers=headers)


def _all(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others


def file_content(description: str, mimetype: str = "application/octet-stream") -> dict[str, Any]:
    """What the document says about such a file."""
    return {"description": description, "content": {mimetype: {"schema": {"type": "string", "format": "binary"}}}}


def documented(success: dict[int, type[BaseModel] | dict[str, Any] | None], *problems: int, body: bool = False) -> Documented:
    """Every status of a call: what it answers, and which problems; ``body`` adds those of calls that read one."""
    statuses = sorted({*_ALWAYS, *problems, *(_BODY if body else ())} - set(success))
    return {**success, **{status: {"description": HTTPStatus(status).phrase, "content": _PROBLEM} for status in statuses}}


def event_stream(*events: str) -> dict[str, Any]:
    """What the document says about a stream with these events."""
    names = ", ".join(f"`{event}`" for event in events)
    description = f"Server-sent events: {names}, then `end` with the Job; a comment every 15 s while nothing happens."
    fields = {"event": {"type": "string", "enum": [*events, "end"]}, "id": {"type": "string"}, "data": {"type": "string"}}
    schema = {"type": "object", "properties": fields, "required": ["event", "data"]}
    return {"description": description, "content": {"text/event-stream": {"schema": schema}}}
