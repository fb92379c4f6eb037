"""Server-sent events: polls a follower for as long as the reader stays."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, current_app, request
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from trainyard_api.objects import ObjectStoreError
from trainyard_api.routes.context import platform
from trainyard_api.routes.schemas.jobs import JobView
from trainyard_api.services.errors import Unavailable
from trainyard_api.services.following import Batch, Follower
from trainyard_api.store.errors import NotFound
from trainyard_api.tracking import TrackingRefused, TrackingUnavailable

log = logging.getLogger(__name__)

COMMENT_SECONDS = 15.0
#: What was found makes more of it likely for this long.
_LIVELY_SECONDS = 5.0
_COMMENT = b":\n\n"
#: Each stream holds one thread of the process, and other calls need some too.
MAX_STREAMS = 32
_KEY = "trainyard.streams"
_GONE = (NotFound, ObjectStoreError, TrackingRefused, TrackingUnavailable, SQLAlchemyError)


def register(app: Flask, *, limit: int = MAX_STREAMS) -> None:
    """Let the app have at most ``limit`` streams at a time."""
    app.extensions[_KEY] = threading.BoundedSemaphore(limit)


def position(given: str) -> str | None:
    """The id to resume after: the browser's own header, or the query parameter for those who cannot set it."""
    return request.headers.get("Last-Event-ID") or given or None


def stream(
    open_follower: Callable[[], Follower], view: Callable[[Any], BaseModel], *, seconds: float, lively_seconds: float | None = None
) -> Response:
    """Stream what the follower finds, looked for every ``seconds``; ``view`` makes an event's data from a payload.

    For some time after something was found it is looked for every ``lively_seconds``.

    What goes wrong with the first poll is an ordinary error. Raises Unavailable when there are too many streams.
    """
    slots: threading.BoundedSemaphore = current_app.extensions[_KEY]
    if not slots.acquire(blocking=False):
        raise Unavailable("too many streams are open on this server; close some, or try again in a moment")
    try:
        follower = open_follower()
        first = follower.poll()
        settings = platform().settings
        pauses = _Pauses(seconds, lively_seconds or seconds)
        parts = _parts(follower, first, view, lambda batch: JobView.of(batch.ended, settings) if batch.ended else None, pauses)
        response = Response(parts, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})
    except BaseException:
        slots.release()
        raise
    response.call_on_close(slots.release)  # also when the reader is gone before the first part
    return response


@dataclass(frozen=True)
class _Pauses:
    """Seconds between two polls: usually, and while there are news."""

    usual: float
    lively: float

    def after(self, quiet_seconds: float) -> float:
        """The next one, after so much time without news."""
        return self.lively if quiet_seconds < _LIVELY_SECONDS else self.usual


def _parts(
    follower: Follower, batch: Batch, view: Callable[[Any], BaseModel], end: Callable[[Batch], BaseModel | None], pauses: _Pauses
) -> Iterator[bytes]:
    yield _COMMENT  # the head goes out at once
    spoken = found = time.monotonic()
    while True:
        for item in batch.items:
            yield _encode(item.kind, view(item.payload), item.position)
        last = end(batch)
        if last is not None:
            yield _encode("end", last)
            return
        if batch.items:
            spoken = found = time.monotonic()
        else:
            time.sleep(pauses.after(time.monotonic() - found))
            if time.monotonic() - spoken >= COMMENT_SECONDS:
                yield _COMMENT
                spoken = time.monotonic()
        try:
            batch = follower.poll()
        except _GONE as error:
            log.warning("a stream ends early, its reader may resume it: %s", error)
            return


def _encode(kind: str, data: BaseModel, position: str | None = None) -> bytes:
    number = f"id: {position}\n" if position is not None else ""
    return f"{number}event: {kind}\ndata: {data.model_dump_json()}\n\n".encode()
