"""Waits until the database answers, then brings its tables up to date."""

import sys
import time

from sqlalchemy.exc import OperationalError

from trainyard_api.settings import Settings
from trainyard_api.store.database import Database

PATIENCE_SECONDS = 600


def main() -> None:
    """Migrate. Exits with one sentence when the database does not answer in time."""
    database = Database(Settings().database)
    host = database.engine.url.render_as_string(hide_password=True)
    deadline = time.monotonic() + PATIENCE_SECONDS
    said = ""
    while True:
        try:
            database.ping()
            break
        except OperationalError as error:
            reason = str(error.orig).strip().splitlines()[0]
            if time.monotonic() > deadline:
                sys.exit(f"{host} did not answer within {PATIENCE_SECONDS} s: {reason}")
            if reason != said:
                print(f"waiting for {host}: {reason}", flush=True)
                said = reason
            time.sleep(0.2)
    database.migrate()
    print("the tables are up to date", flush=True)


if __name__ == "__main__":
    main()
