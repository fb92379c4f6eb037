"""Empty, migrated stores on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.support.postgres import fresh_database
from trainyard_api.store.database import Database
from trainyard_api.store.models import Base

DIALECTS = ("sqlite", "postgresql")


@contextmanager
def empty_url(dialect: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database; a skip with its reason where there is no PostgreSQL."""
    if dialect == "sqlite":
        yield f"sqlite:///{folder}/store/trainyard.db"
        return
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        yield url


@contextmanager
def migrated_database(dialect: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database with its tables and no rows; on PostgreSQL the same one for every test, emptied."""
    if dialect == "sqlite":
        with opened(f"sqlite:///{folder}/store/trainyard.db") as database:
            yield database
        return
    with opened(request.getfixturevalue("migrated_postgres_url")) as database:
        with database.write() as session:
            tables = ", ".join(Base.metadata.tables)
            session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY"))
        yield database


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """The database, migrated, and closed afterwards."""
    database = Database(url)
    database.migrate()
    try:
        yield database
    finally:
        database.close()
