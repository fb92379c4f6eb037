"""Empty, migrated stores on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.postgres import fresh_database
from trainyard_api.store.database import Database

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
    """A database with its tables and no rows."""
    if dialect == "sqlite":
        with opened(f"sqlite:///{folder}/store/trainyard.db") as database:
            yield database
        return
    template = request.getfixturevalue("migrated_postgres_url")
    with fresh_database(request.getfixturevalue("postgres_url"), template=template.rpartition("/")[2]) as url, opened(url) as database:
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
