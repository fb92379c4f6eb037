"""The start of MLflow in the chart: an empty database is left to the server, one of this MLflow is left alone, an older one is updated."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from alembic.command import upgrade
from alembic.script import ScriptDirectory
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base
from sqlalchemy import create_engine

from tests.support.postgres import fresh_database, running_postgres
from workbench.paths import ROOT

SCRIPT = ROOT / "charts" / "mlflow" / "files" / "serve.py"
OLDER = "451aebb31d03"
#: In place of the image's, which the embedded platform starts too.
_STAND_IN = 'def main(arguments):\n    print("serves with", *arguments, flush=True)\n'


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database; a skip with its reason where there is no PostgreSQL."""
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        yield url.replace("postgresql:", "postgresql+psycopg2:")


@contextlib.contextmanager
def running(url: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The script, as the container starts it."""
    (folder / "mlflow_process.py").write_text(_STAND_IN)
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": url, "PYTHONPATH": str(folder)}
    command = [sys.executable, str(SCRIPT), "--port=5000"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(url: str, folder: Path) -> str:
    """All that the script said, at its end."""
    with running(url, folder) as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


def revision(url: str) -> str:
    with contextlib.closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT version_num FROM alembic_version")
        [found] = cursor.fetchone() or [""]
        return str(found)


def make_tables(url: str, wanted: str) -> None:
    """MLflow's, as they were at this revision."""
    Base.metadata.create_all(create_engine(url))
    upgrade(_get_alembic_config(url), wanted)


def test_an_empty_database_is_left_to_the_server(url: str, tmp_path: Path) -> None:
    assert said(url, tmp_path) == "the database is empty; the server makes its tables\nserves with --port=5000\n"


def test_older_tables_are_updated_and_then_left_alone(url: str, tmp_path: Path) -> None:
    make_tables(url, OLDER)
    assert f"updating the tables from revision {OLDER}\n" in said(url, tmp_path)
    assert revision(url) == ScriptDirectory.from_config(_get_alembic_config(url)).get_current_head()
    assert said(url, tmp_path) == "the tables are up to date\nserves with --port=5000\n"


@pytest.mark.usefixtures("postgres_url")
def test_a_database_that_starts_later_is_waited_for(tmp_path: Path) -> None:
    with running_postgres() as server:
        server.stop()
        with running(server.url, tmp_path) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("waiting for the database: ")
            server.start()
            output, _ = process.communicate(timeout=120)
    assert output.endswith("serves with --port=5000\n")


def test_one_that_waits_ends_when_it_is_told(tmp_path: Path) -> None:
    with running("postgresql+psycopg2://mlflow@127.0.0.1:1/mlflow", tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("waiting for the database: ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
