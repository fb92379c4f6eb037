"""Waiting for a database that starts at the same time as the platform, as it does when a chart is installed."""

import logging
import socket
import threading
import time

from sqlalchemy.exc import OperationalError

from trainyard_api.store.database import Database

PATIENCE_SECONDS = 600.0
_PAUSE_SECONDS = 0.2
#: How long to knock, at first and at last: an address whose pod is just starting may answer nothing, and libpq would wait for 2 s.
_FIRST_KNOCK_SECONDS, _LONGEST_KNOCK_SECONDS = 0.3, 5.0

log = logging.getLogger(__name__)


class DatabaseAway(Exception):
    """The database did not answer in time."""


def await_database(database: Database, stop: threading.Event, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Return when the database answers, or when told to stop; SQLite's has no server to wait for. Raises DatabaseAway."""
    if database.dialect == "sqlite":
        return
    where = database.engine.url.render_as_string(hide_password=True)
    deadline = time.monotonic() + patience_seconds
    said, knock_seconds = "", _FIRST_KNOCK_SECONDS
    while not stop.is_set():
        try:
            _knock(database, knock_seconds)
            database.ping()
        except (OperationalError, OSError) as error:
            reason = str(error.orig if isinstance(error, OperationalError) else error).strip().splitlines()[0]
            if time.monotonic() > deadline:
                raise DatabaseAway(f"{where} did not answer within {patience_seconds:g} s: {reason}") from error
            if reason != said:
                log.info("waiting for %s: %s", where, reason)
                said = reason
            knock_seconds = min(_LONGEST_KNOCK_SECONDS, 1.1 * knock_seconds)
            stop.wait(_PAUSE_SECONDS)
        else:
            return


def _knock(database: Database, seconds: float) -> None:
    """Raise OSError unless somebody listens where the URL names one host."""
    url = database.engine.url
    if url.host and "," not in url.host and "host" not in url.query:
        socket.create_connection((url.host, url.port or 5432), seconds).close()
