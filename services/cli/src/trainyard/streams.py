"""Server-sent events that survive a lost connection: reading goes on after the last event seen, without loss or repetition."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import httpx
from httpx_sse import ServerSentEvent, SSEError, connect_sse

from trainyard.errors import ServerFailed, ServerUnreachable
from trainyard.http import API, Http, raise_for_problem

#: The server sends a comment every 15 s; silence for this long means that the connection is dead.
SILENCE_SECONDS = 45.0


class Stream:
    """One followed resource. Iterating gives its events up to and including `end`.

    A connection that breaks, or ends before `end`, is opened again with `Last-Event-ID`; the wait between tries grows, and starts afresh
    with each event that comes through.
    """

    def __init__(self, http: Http, path: str, *, params: dict[str, Any] | None = None, last_event_id: str | None = None) -> None:
        """Follow `path` below /api/v1, from the start or after an event."""
        self._http, self._path, self._params = http, path, params or {}
        self.last_event_id = last_event_id
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the iteration at the next event or pause; may be called from another thread."""
        self._stopped.set()

    def __iter__(self) -> Iterator[ServerSentEvent]:
        """The events in order.

        Raises:
            ApiError: the server refused the stream.
            ServerUnreachable: it did not come back for as long as the client's patience.
        """
        pauses = self._http.backoff.pauses()
        while not self._stopped.is_set():
            lost: Exception = ServerUnreachable(f"{self._http.connection.url} closed the stream of {self._path} before its end")
            try:
                with closing(self._connection()) as events:
                    for event in events:
                        if not event.data:  # only sets the reconnection time, which is ours to choose
                            continue
                        pauses = self._http.backoff.pauses()
                        self.last_event_id = event.id or self.last_event_id
                        if not event.data:  # only sets the retry time; the standard dispatches no event for it
                            continue
                        yield event
                        if event.event == "end" or self._stopped.is_set():
                            return
            except httpx.TransportError as error:
                lost = self._http.unreachable(error)
                if not self._http.answered:
                    raise lost from error
            except ServerFailed as error:
                if error.status < 500:
                    raise
                lost = error
            pause = next(pauses, None)
            if pause is None:
                raise lost
            self._stopped.wait(pause)

    def _connection(self) -> Generator[ServerSentEvent, None, None]:
        """Events of one connection."""
        headers = {"Last-Event-ID": self.last_event_id} if self.last_event_id else {}
        timeout = httpx.Timeout(SILENCE_SECONDS, connect=10.0)
        with connect_sse(self._http.client, "GET", f"{API}{self._path}", params=self._params, headers=headers, timeout=timeout) as source:
            self._http.answered = True
            if not source.response.is_success:
                source.response.read()
                raise_for_problem(source.response)
            try:
                yield from source.iter_sse()
            except SSEError:
                raise self._http.not_trainyard(source.response) from None
