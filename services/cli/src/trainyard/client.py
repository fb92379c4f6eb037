"""The typed client of Trainyard's HTTP API."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx

from trainyard.calls.catalogue import CatalogueCalls
from trainyard.calls.following import FollowingCalls
from trainyard.calls.jobs import JobCalls
from trainyard.calls.results import ResultCalls
from trainyard.calls.uploads import UploadCalls
from trainyard.connection import connect
from trainyard.http import Backoff, Http


class Client(JobCalls, FollowingCalls, ResultCalls, UploadCalls, CatalogueCalls):
    """A connection to one Trainyard server; a context manager. Methods may be called from several threads.

    Every method raises `trainyard.errors.ApiError` (`NotFound`, `Conflict`, `ServerFailed` or the base) when the server refuses or fails,
    and `ServerUnreachable` when it does not answer. Requests that may safely be repeated are, when the connection breaks.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        patience: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Connect lazily.

        Args:
            url: the server; by default TRAINYARD_URL, then the running embedded platform.
            token: bearer token; by default TRAINYARD_TOKEN, TRAINYARD_TOKEN_FILE, then the embedded platform's.
            timeout: seconds to wait for one answer.
            patience: seconds to try again in all, when a server that did answer goes away.
            transport: for tests.
        """
        self._http = Http(connect(url, token), timeout=timeout, backoff=Backoff(patience=patience), transport=transport)

    @property
    def url(self) -> str:
        """The server's base URL."""
        return self._http.connection.url

    def close(self) -> None:
        """Close the connections."""
        self._http.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
