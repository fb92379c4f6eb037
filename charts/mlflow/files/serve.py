"""MLflow's server, with the arguments of `mlflow server`, once the database answers and has the tables of this MLflow.

Those of an empty database the server makes itself. The seconds that MLflow's import takes go by while the database starts.
"""

import importlib
import importlib.util
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2

PATIENCE_SECONDS = 600
#: The least that libpq knows.
CONNECT_SECONDS = 2
#: How long to knock, at first and at last: an address whose pod is just starting may answer nothing, and libpq would wait longer.
FIRST_KNOCK_SECONDS, LONGEST_KNOCK_SECONDS = 0.3, 5.0
VARIABLE = "MLFLOW_BACKEND_STORE_URI"


def newest_revision(versions: Path) -> str:
    """The Alembic revision that no other one in the folder comes after. Raises ValueError unless there is exactly one."""
    texts = [path.read_text() for path in versions.glob("*.py")]
    made = {found for text in texts for found in re.findall(r'^revision = "(\w+)"', text, re.MULTILINE)}
    followed = {found for text in texts for found in re.findall(r'^down_revision = "(\w+)"', text, re.MULTILINE)}
    [newest] = made - followed
    return newest


def current_revision(url: str) -> str | None:
    """Of the database; None when it has no tables of MLflow. Raises psycopg2.Error."""
    connection = psycopg2.connect(url, connect_timeout=CONNECT_SECONDS)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('alembic_version')")
            [table] = cursor.fetchone() or [None]
            if table is None:
                return None
            cursor.execute("SELECT version_num FROM alembic_version")
            [revision] = cursor.fetchone() or [None]
            return revision
    finally:
        connection.close()


def knock(url: str, seconds: float) -> None:
    """Raise OSError unless somebody listens where the URL names one host."""
    place = urlsplit(url)
    if place.hostname and "," not in place.netloc and "host=" not in place.query:
        socket.create_connection((place.hostname, place.port or 5432), seconds).close()


def awaited_revision(url: str) -> str | None:
    """The same of a database that may still be starting. Exits with one sentence when it does not answer in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    said, knock_seconds = "", FIRST_KNOCK_SECONDS
    while True:
        try:
            knock(url, knock_seconds)
            return current_revision(url)
        except (psycopg2.OperationalError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            if time.monotonic() > deadline:
                sys.exit(f"the database did not answer within {PATIENCE_SECONDS} s: {reason}")
            if reason != said:
                print(f"waiting for the database: {reason}", flush=True)
                said = reason
            knock_seconds = min(LONGEST_KNOCK_SECONDS, 1.1 * knock_seconds)
            time.sleep(0.2)


def import_mlflow() -> None:
    """What the server needs. An error is that of whoever imports it again."""
    for name in ("mlflow.cli", "mlflow.server", "uvicorn.main"):
        importlib.import_module(name)


def main(arguments: Sequence[str]) -> None:
    """Update what there is, and serve until a signal comes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # a container's first process has no other answer to it
    package = importlib.util.find_spec("mlflow")
    if package is None or package.origin is None:
        sys.exit("the image has no MLflow")
    threading.Thread(target=import_mlflow, daemon=True).start()
    revision = awaited_revision(re.sub(r"^postgres(ql)?(\+psycopg2)?:", "postgresql:", os.environ[VARIABLE]))
    if revision is None:
        print("the database is empty; the server makes its tables", flush=True)
    elif revision == newest_revision(Path(package.origin).parent / "store" / "db_migrations" / "versions"):
        print("the tables are up to date", flush=True)
    else:
        print(f"updating the tables from revision {revision}", flush=True)
        from mlflow.cli import cli

        cli(args=["db", "upgrade", os.environ[VARIABLE]], standalone_mode=False)
    try:
        from mlflow_process import main as serve
    except ModuleNotFoundError:  # an image of somebody's own
        os.execvp("mlflow", ["mlflow", "server", *arguments])  # noqa: S606
    serve(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
