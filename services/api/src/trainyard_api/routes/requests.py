"""How requests are read: strict JSON, bounded bodies, uploads in named temporary files, no unknown query parameters."""

import tempfile
from functools import lru_cache
from typing import IO, Any, get_args, get_origin, get_type_hints

from flask import Flask, Request, Response, current_app, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from trainyard_api.routes.context import platform
from trainyard_api.routes.problems import invalid
from trainyard_api.services.errors import FieldError
from trainyard_api.services.field_errors import did_you_mean, field_errors
from trainyard_api.services.strict_json import parse_object, printable

MAX_BODY_BYTES = 1024**2
#: What a form needs beside its file: boundaries and headers of its parts.
FORM_OVERHEAD_BYTES = 64 * 1024
#: A refused body is read on for so many bytes: a connection closed on a client that still sends loses the answer.
_DRAINED_BYTES = 32 * 1024**2


class ApiRequest(Request):
    """Flask's request with this API's ways of reading bodies."""

    def get_json(self, *_args: Any, **_options: Any) -> Any:
        """The body's JSON object. Raises UnsupportedMediaType, RequestEntityTooLarge, Malformed, Invalid."""
        if not self.is_json:
            raise UnsupportedMediaType
        content = self.get_data()
        if len(content) >= MAX_BODY_BYTES:  # Werkzeug cuts a body that came without its length
            raise RequestEntityTooLarge
        return parse_object(content)

    def _get_file_stream(
        self, total_content_length: int | None, content_type: str | None, filename: str | None = None, content_length: int | None = None
    ) -> IO[bytes]:
        """A file with a name, because it is read again; it goes when the request ends."""
        folder = platform().settings.state_dir / "incoming"
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.NamedTemporaryFile(dir=folder)


def register(app: Flask) -> None:
    """Read the app's requests this way."""
    app.request_class = ApiRequest
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.before_request(_check_query)
    app.after_request(_drain)


def read_form() -> None:
    """Before a call that takes a file: raise UnsupportedMediaType for another body, and allow for its size."""
    if request.method == "POST":
        if request.mimetype != "multipart/form-data":
            raise UnsupportedMediaType
        request.max_content_length = platform().settings.max_upload_bytes + FORM_OVERHEAD_BYTES
        try:
            request.files  # noqa: B018 - reads the body
        except (EOFError, ConnectionError) as error:
            raise BadRequest("the upload broke off") from error


def _drain(response: Response) -> Response:
    """Let a client whose body was refused come to the end of it, within reason."""
    if response.status_code in (401, 413, 415) and request.environ.get("wsgi.input_terminated"):
        left = _DRAINED_BYTES
        while left > 0 and (piece := request.environ["wsgi.input"].read(min(left, 65536))):
            left -= len(piece)
    return response


def invalid_request(error: ValidationError) -> Response:
    """422 for what pydantic found in a query, header, path, form or body."""
    known = [name for part in ("query", "body", "form") for name in _fields(request.endpoint or "", part)]
    return invalid(*field_errors(error, known=known))


def _check_query() -> Response | None:
    """Refuse query parameters that the call does not know, and those that come twice although it takes one."""
    if request.routing_exception is not None or not request.args:
        return None
    known = _fields(request.endpoint or "", "query")
    errors = []
    for name in request.args:
        if name not in known:
            errors.append(FieldError(printable(name), "there is no such query parameter", did_you_mean(name, list(known))))
        elif not known[name] and len(request.args.getlist(name)) > 1:
            errors.append(FieldError(name, "is given more than once", "give it once"))
    return invalid(*errors) if errors else None


@lru_cache(maxsize=1000)
def _fields_of(view: Any, part: str) -> dict[str, bool]:
    model = get_type_hints(view).get(part)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return {}
    return {
        field.alias or name: list in (get_origin(field.annotation), *get_args(field.annotation))
        for name, field in model.model_fields.items()
    }


def _fields(endpoint: str, part: str) -> dict[str, bool]:
    """The fields of a part of the call by name, with whether each is a list."""
    view = current_app.view_functions.get(endpoint)
    return _fields_of(getattr(view, "__wrapped__", view), part) if view is not None else {}
