"""Every error as RFC 9457 problem+json: one place that knows which exception becomes which status."""

import logging
import uuid
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from flask import Flask, Response, g, has_request_context, request
from sqlalchemy import exc
from werkzeug.exceptions import HTTPException

from trainyard_api.objects import ObjectMissing, ObjectStoreError, ObjectStoreFull, out_of_space
from trainyard_api.routes.schemas.problem import Problem, ProblemField
from trainyard_api.services import errors as service
from trainyard_api.services.errors import FieldError
from trainyard_api.store import errors as store
from trainyard_api.store.paging import BadCursor
from trainyard_api.tracking import TrackingRefused, TrackingUnavailable

log = logging.getLogger(__name__)

RETRY_SECONDS = "2"
#: How Flask's own errors read; its texts are for browsers.
_DETAILS = {
    404: "there is nothing at this address",
    405: "this address does not take this method",
    413: "the body is larger than this call takes",
    415: "the body's Content-Type is not one that this call takes",
}


def instance() -> str:
    """The URN of the current request, which its log lines hold too."""
    if not has_request_context():
        return uuid.uuid4().urn
    if "instance" not in g:
        g.instance = uuid.uuid4().urn
    return str(g.instance)


def problem(
    status: int, detail: str, errors: Iterable[FieldError] = (), *, title: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """The answer for an error; a status that is worth a retry says when."""
    body = Problem(
        title=title or HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=instance(),
        errors=[ProblemField(field=error.field, message=error.message, fix=error.fix) for error in errors],
    )
    response = Response(body.model_dump_json(), status, mimetype="application/problem+json")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = RETRY_SECONDS
    response.headers.update(headers or {})
    return response


def invalid(*errors: FieldError) -> Response:
    """422, with every wrong field."""
    return problem(422, str(service.Invalid(*errors)), errors, title="Invalid request")


def register(app: Flask) -> None:
    """Answer every exception of the app's requests."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(service.ServiceError, _service)
    app.register_error_handler(store.StoreError, _store)
    app.register_error_handler(BadCursor, lambda error: invalid(FieldError("cursor", str(error), "start from the first page")))
    app.register_error_handler(ObjectStoreError, _objects)
    app.register_error_handler(TrackingUnavailable, lambda _: problem(503, "MLflow does not answer now"))
    app.register_error_handler(TrackingRefused, _tracking_refused)
    app.register_error_handler(exc.SQLAlchemyError, _database)
    app.register_error_handler(OSError, _os)
    app.register_error_handler(Exception, _bug)


def _http(error: HTTPException) -> Response:
    if error.response is not None:  # made by ``problem`` and aborted with
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After", "Location")}
    detail = _DETAILS.get(status) or (error.description or HTTPStatus(status).phrase)
    return problem(status, detail, headers=headers)


def _service(error: Exception) -> Response:
    match error:
        case service.Invalid():
            return invalid(*error.errors)
        case service.Malformed():
            return problem(400, str(error))
        case service.Missing():
            return problem(404, str(error))
        case service.TooLarge():
            return problem(413, str(error))
        case service.StorageFull():
            return problem(507, str(error))
        case service.Unavailable():
            return problem(503, str(error))
    return _bug(error)


def _store(error: Exception) -> Response:
    match error:
        case store.NotFound():
            return problem(404, _one_line(str(error)))
        case store.StateConflict() | store.InUse():
            return problem(409, str(error))
        case store.KeyReused():
            return invalid(FieldError("Idempotency-Key", str(error), "use a new key for a new body"))
    return _bug(error)


def _objects(error: Exception) -> Response:
    if isinstance(error, ObjectMissing):
        return problem(404, "the object store no longer holds this")
    if isinstance(error, ObjectStoreFull):
        return problem(507, "the object store is full; free some space and try again")
    log.warning("%s: %s", instance(), error)
    return problem(503, "the object store does not answer now")


def _tracking_refused(error: Exception) -> Response:
    log.warning("%s: %s", instance(), error)
    return problem(502, "MLflow refused the request; the run may have been deleted there")


def _database(error: Exception) -> Response:
    lost = isinstance(error, exc.DBAPIError) and error.connection_invalidated
    if isinstance(error, exc.OperationalError | exc.InterfaceError | exc.TimeoutError) or lost:
        log.warning("%s: the database failed: %s", instance(), getattr(error, "orig", error))
        if "disk is full" in str(error):
            return problem(507, "the database's disk is full; free some space and try again")
        return problem(503, "the database does not answer now")
    return _bug(error)


def _os(error: Exception) -> Response:
    if isinstance(error, OSError) and out_of_space(error):
        return problem(507, "the disk is full; free some space and try again")
    return _bug(error)


def _bug(error: Exception) -> Response:
    log.error("%s: %s %s failed", instance(), request.method, request.path, exc_info=error)
    return problem(500, f"this is a bug or a broken installation; the API's log has the reason under {instance()}")


def _one_line(text: str) -> str:
    return text[:200].replace("\0", "\ufffd").replace("\n", " ")
