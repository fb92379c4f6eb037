"""Waits until the database answers, then brings the tables of an older MLflow up to date.

Those of an empty database the server makes itself, and where nothing is to be done MLflow is not imported, which takes seconds.
"""

import importlib.util
import os
import re
import sys
import time
from pathlib import Path

import psycopg2

PATIENCE_SECONDS = 600
#: The least that libpq knows; before the database has a pod, nothing answers at its address.
CONNECT_SECONDS = 2
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


def main() -> None:
    """Update what there is. Exits with one sentence when the database does not answer in time."""
    url = re.sub(r"^postgres(ql)?(\+psycopg2)?:", "postgresql:", os.environ[VARIABLE])
    deadline = time.monotonic() + PATIENCE_SECONDS
    said = ""
    while True:
        try:
            revision = current_revision(url)
            break
        except psycopg2.OperationalError as error:
            reason = str(error).strip().splitlines()[0]
            if time.monotonic() > deadline:
                sys.exit(f"the database did not answer within {PATIENCE_SECONDS} s: {reason}")
            if reason != said:
                print(f"waiting for the database: {reason}", flush=True)
                said = reason
            time.sleep(0.5)
    if revision is None:
        print("the database is empty; the server makes its tables", flush=True)
        return
    package = importlib.util.find_spec("mlflow")
    if package is None or package.origin is None:
        sys.exit("the image has no MLflow")
    if revision == newest_revision(Path(package.origin).parent / "store" / "db_migrations" / "versions"):
        print("the tables are up to date", flush=True)
        return
    os.execvp("mlflow", ["mlflow", "db", "upgrade", os.environ[VARIABLE]])  # noqa: S606 - the image's own


if __name__ == "__main__":
    main()
