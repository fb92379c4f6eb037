"""`python -m trainyard_api.controller`: run until SIGTERM."""

import logging
import os
import signal
import socket
import sys
import threading

from trainyard_api.controller.database_start import DatabaseAway, await_database
from trainyard_api.controller.loop import Controller
from trainyard_api.engines import open_engine
from trainyard_api.objects.base import open_store
from trainyard_api.settings import Settings
from trainyard_api.store.database import Database
from trainyard_api.tracking import Tracking


def main() -> int:
    """Bring the tables up to date, then lead, or wait to lead, until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = Settings()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    database = Database(settings.database)
    try:
        await_database(database, stop)
    except DatabaseAway as error:
        sys.exit(str(error))
    if stop.is_set():
        return 0
    database.migrate()
    objects = open_store(settings.object_store)
    engine = open_engine(settings, objects)
    owner = f"{socket.gethostname()}:{os.getpid()}"
    try:
        Controller(settings, database, objects, engine, Tracking(settings.mlflow_url), owner).run(stop)
    finally:
        engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
