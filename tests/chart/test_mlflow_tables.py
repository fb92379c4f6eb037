"""The init container of MLflow: an empty database is left to the server, one of this MLflow is left alone, an older one is updated."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import psycopg2
import pytest
from alembic.script import ScriptDirectory

from tests.support.postgres import fresh_database
from workbench.paths import ROOT

SCRIPT = ROOT / "charts" / "mlflow" / "files" / "update_tables.py"
_STAND_IN = '#!/bin/sh\necho "ran mlflow $*"\n'


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database; a skip with its reason where there is no PostgreSQL."""
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        yield url.replace("postgresql:", "postgresql+psycopg2:")


def run(url: str, folder: Path) -> str:
    """What the script says, with a command in place of ``mlflow``."""
    command = folder / "mlflow"
    command.write_text(_STAND_IN)
    command.chmod(0o755)
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": url, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run([sys.executable, str(SCRIPT)], env=environment, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def mark(url: str, revision: str) -> None:
    """The database as one whose tables are of this revision."""
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        cursor.execute("INSERT INTO alembic_version VALUES (%s)", (revision,))
    connection.close()


def test_an_empty_database_is_left_to_the_server(url: str, tmp_path: Path) -> None:
    assert run(url, tmp_path) == "the database is empty; the server makes its tables"


def test_tables_of_this_mlflow_are_left_alone(url: str, tmp_path: Path) -> None:
    newest = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations")).get_current_head()
    assert newest is not None
    mark(url, newest)
    assert run(url, tmp_path) == "the tables are up to date"


def test_older_tables_are_updated(url: str, tmp_path: Path) -> None:
    mark(url, "451aebb31d03")
    assert run(url, tmp_path) == f"ran mlflow db upgrade {url}"
