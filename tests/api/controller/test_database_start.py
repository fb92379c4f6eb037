"""A controller whose database starts later waits for it, makes its tables, and says so; one that never does is given up."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.support.postgres import running_postgres
from tests.support.processes import end
from tests.support.waiting import wait_for

from trainyard_api.controller.database_start import DatabaseAway, await_database
from trainyard_api.store.database import Database

NOBODY = "postgresql://nobody:secret@127.0.0.1:1/none"


@pytest.mark.usefixtures("postgres_url")
def test_a_database_that_starts_later_gets_its_tables(tmp_path: Path) -> None:
    with running_postgres() as server:
        server.stop()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TRAINYARD_")} | {
            "TRAINYARD_STATE_DIR": str(tmp_path),
            "TRAINYARD_DATABASE_URL": server.url,
            "TRAINYARD_ENGINE": "memory",
        }
        command = [sys.executable, "-m", "trainyard_api.controller"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as controller:
            try:
                assert controller.stderr is not None
                assert "waiting for postgresql" in controller.stderr.readline()
                server.start()
                database = Database(server.url)
                wait_for("the tables", database.is_up_to_date, seconds=60, every=0.1)
                database.close()
            finally:
                end(controller)
        assert controller.returncode == 0


def test_one_that_never_answers_is_given_up_with_a_sentence() -> None:
    with pytest.raises(DatabaseAway, match=r"nobody:\*\*\*@127.0.0.1:1/none did not answer within 0.5 s: .*refused"):
        await_database(Database(NOBODY), threading.Event(), patience_seconds=0.5)


def test_one_that_waits_ends_when_it_is_told() -> None:
    stop = threading.Event()
    waiting = threading.Thread(target=await_database, args=(Database(NOBODY), stop))
    waiting.start()
    stop.set()
    waiting.join(timeout=30)
    assert not waiting.is_alive()
