"""What the calls of every resource share: the HTTP side, and reading answers."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from trainyard.errors import InvalidInput, ServerFailed
from trainyard.http import Http

_Model = TypeVar("_Model", bound=BaseModel)


class Calls:
    """Calls of one server; each resource's are a subclass."""

    _http: Http

    def _one(self, kind: type[_Model], body: Any) -> _Model:
        try:
            return kind.model_validate(body)
        except ValidationError as error:
            raise self._strange(kind, error) from error

    def _many(self, kind: type[_Model], body: Any) -> list[_Model]:
        try:
            return [kind.model_validate(item) for item in body["items"]]
        except (ValidationError, KeyError, TypeError) as error:
            raise self._strange(kind, error) from error

    def _parsed(self, kind: type[_Model], text: str) -> _Model:
        try:
            return kind.model_validate_json(text)
        except ValidationError as error:
            raise self._strange(kind, error) from error

    def _strange(self, kind: type[BaseModel], error: Exception) -> ServerFailed:
        reason = str(error).splitlines()[0]
        return ServerFailed(
            200, f"{self._http.connection.url} sent a {kind.__name__} that this client cannot read; are both of one version? ({reason})"
        )


def job_path(job_id: str, below: str = "") -> str:
    """The path of a job, or of something below it. Raises InvalidInput."""
    if not job_id or job_id in (".", ".."):
        raise InvalidInput("job", f"{job_id!r} is not a job's id", "take one from `trainyard jobs`")
    return f"/jobs/{quote(job_id, safe='')}{below}"


def given(**params: Any) -> dict[str, Any]:
    """The parameters that are set."""
    return {key: value for key, value in params.items() if value is not None}
