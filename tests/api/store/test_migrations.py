"""The migrations make exactly the tables that the models describe, and can be taken back."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

import trainyard_api.store
from trainyard_api.store.database import Database, latest_revision
from trainyard_api.store.models import Base


def test_migrated_schema_equals_the_models(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
        made = {(table, index["name"]) for table in Base.metadata.tables for index in inspect(connection).get_indexes(table)}
    modelled = {(table.name, index.name) for table in Base.metadata.tables.values() for index in table.indexes}
    assert modelled <= made


def test_downgrade_leaves_nothing_and_upgrade_works_again(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(trainyard_api.store.__file__).parent / "migrations"))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with database.engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    database.migrate()
    database.migrate()
    with database.engine.connect() as connection:
        assert set(Base.metadata.tables) < set(inspect(connection).get_table_names())


def test_a_database_that_is_up_to_date_is_opened_without_alembic(url: str) -> None:
    code = "import sys; from trainyard_api.store.database import Database; Database(sys.argv[1]).migrate(); print('alembic' in sys.modules)"
    answers = [subprocess.run([sys.executable, "-c", code, url], check=True, capture_output=True, text=True).stdout.strip() for _ in "12"]
    assert answers == ["True", "False"]


def test_tables_of_a_later_version_are_left_alone(database: Database) -> None:
    """As `helm rollback` finds them."""
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        database.migrate()
        assert database.is_up_to_date()
    finally:
        with database.write() as session:
            session.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": latest_revision()})


def test_processes_that_start_together_migrate_once(url: str) -> None:
    databases = [Database(url) for _ in range(6)]
    errors: list[BaseException] = []

    def migrate(database: Database) -> None:
        try:
            database.migrate()
            database.ping()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=migrate, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in databases:
        database.close()
    assert errors == []


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_sqlite_in_memory_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="SQLite needs a file"):
        Database(url)
