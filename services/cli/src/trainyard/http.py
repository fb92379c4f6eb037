"""The HTTP side of the client: one place for headers, retries and turning answers into errors."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from trainyard.connection import Connection
from trainyard.errors import ApiError, Conflict, FieldError, NotFound, ServerFailed, ServerUnreachable

API = "/api/v1"
#: How long a server that answers "not now" is asked again; it says so itself, so there is less to wait for than with one that is gone.
_BUSY_SECONDS = 2.0


@dataclass(frozen=True)
class Backoff:
    """Pauses between tries, in seconds: doubling with jitter up to `longest`, for `patience` in all."""

    first: float = 0.2
    longest: float = 5.0
    patience: float = 30.0

    def pauses(self) -> Iterator[float]:
        """The pauses, until their sum is `patience`."""
        pause, left = self.first, self.patience
        while left > 0:
            now = min(pause * random.uniform(0.5, 1.0), left)  # noqa: S311 - jitter
            left -= now
            yield now
            pause = min(pause * 2, self.longest)


class Http:
    """Sends requests below a connection's URL. Safe to use from several threads."""

    def __init__(self, connection: Connection, *, timeout: float, backoff: Backoff, transport: httpx.BaseTransport | None = None) -> None:
        headers = {"User-Agent": "trainyard", "Accept": "application/json"}
        if connection.token:
            headers["Authorization"] = f"Bearer {connection.token}"
        self.connection, self.backoff = connection, backoff
        self.client = httpx.Client(
            base_url=connection.url,
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 10.0)),
            transport=transport,
            trust_env=not connection.loopback,  # a proxy has no way to this machine's loopback
        )
        #: Whether this server ever answered: one that did and then refuses a connection is restarting, one that never did is not there.
        self.answered = False

    def json(self, method: str, path: str, *, repeatable: bool | None = None, **options: Any) -> Any:
        """The JSON body of a successful answer, None where there is none.

        Args:
            method: HTTP method.
            path: below /api/v1, unless it starts with the prefix already.
            repeatable: whether sending it twice does no harm; by default so for GET. Only such requests are sent again when it is unknown
                whether the first one arrived.
            options: of httpx.Client.request.

        Raises:
            ApiError: the server refused or failed.
            ServerUnreachable: no answer.
        """
        repeatable = method == "GET" if repeatable is None else repeatable
        response = self._send(lambda: self.client.request(method, f"{API}{path}", **options), repeatable=repeatable)
        raise_for_problem(response)
        if response.status_code == 204:
            return None
        try:
            return response.json()
        except ValueError:
            raise self.not_trainyard(response) from None

    def content(self, path: str, **options: Any) -> Iterator[bytes]:
        """The body of a GET in parts, as they come. Raises as `json` does; a connection that breaks midway is not mended."""
        try:
            with self.client.stream("GET", f"{API}{path}", **options) as response:
                self.answered = True
                if not response.is_success:
                    response.read()
                    raise_for_problem(response)
                yield from response.iter_bytes()
        except httpx.TransportError as error:
            raise self.unreachable(error) from error

    def _send(self, request: Callable[[], httpx.Response], *, repeatable: bool) -> httpx.Response:
        pauses = self.backoff.pauses()
        busy_pauses = Backoff(patience=min(_BUSY_SECONDS, self.backoff.patience)).pauses()
        while True:
            try:
                response = request()
            except httpx.TransportError as error:
                never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                pause = next(pauses, None) if (self.answered if never_sent else repeatable) else None
                if pause is None:
                    raise self.unreachable(error) from error
            except httpx.InvalidURL as error:
                raise self.unreachable(error) from error
            else:
                self.answered = True
                busy = response.status_code in (429, 502, 503, 504) and repeatable
                pause = next(busy_pauses, None) if busy else None
                if pause is None:
                    return response
            time.sleep(pause)

    def unreachable(self, error: Exception) -> ServerUnreachable:
        """The one sentence for a server that is not there, or not any more."""
        url = self.connection.url
        if self.answered:
            return ServerUnreachable(f"the connection to {url} broke and did not come back: {_cause(error)}")
        if isinstance(error, httpx.TimeoutException):
            return ServerUnreachable(f"{url} does not answer in time; check that it is Trainyard's address and not overloaded")
        if self.connection.loopback:
            return ServerUnreachable(f"no Trainyard answers at {url}; start it with `trainyard up`")
        return ServerUnreachable(f"no Trainyard answers at {url} ({_cause(error)}); check the address (--url or TRAINYARD_URL)")

    def not_trainyard(self, response: httpx.Response) -> ServerFailed:
        """The error for an answer that Trainyard does not give."""
        kind = response.headers.get("content-type", "nothing readable")
        message = f"{self.connection.url} answered with {kind}, which is not what Trainyard's API sends; check the address"
        return ServerFailed(response.status_code, message)


def raise_for_problem(response: httpx.Response) -> None:
    """Return when the answer is a success. Raises ApiError, with what the problem document says."""
    if response.is_success:
        return
    status = response.status_code
    try:
        problem = response.json()
        problem = problem if isinstance(problem, dict) else {}
    except ValueError:
        problem = {}
    title = str(problem.get("title") or response.reason_phrase or "error")
    detail = problem.get("detail")
    raise _class_of(status)(status, title, _with_advice(status, str(detail or f"{status} {title}")), _field_errors(problem))


def _field_errors(problem: dict[str, Any]) -> list[FieldError]:
    found = problem.get("errors")
    return [
        FieldError(str(entry.get("field") or ""), str(entry.get("message") or "not valid"), str(entry["fix"]) if entry.get("fix") else None)
        for entry in (found if isinstance(found, list) else [])
        if isinstance(entry, dict)
    ]


def _class_of(status: int) -> type[ApiError]:
    if status == 404:
        return NotFound
    if status == 409:
        return Conflict
    return ServerFailed if status >= 500 or status == 429 or status < 400 else ApiError


def _with_advice(status: int, detail: str) -> str:
    if status == 401:
        return f"{detail} (fix: set TRAINYARD_TOKEN, or TRAINYARD_TOKEN_FILE to the server's api-token file)"
    return detail


def _cause(error: Exception) -> str:
    return str(error) or type(error).__name__
