"""Every test of the store runs on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.databases import DIALECTS, empty_url, migrated_database

from trainyard_api.store.database import Database
from trainyard_api.store.repository import Repository


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    """Which database."""
    return str(request.param)


@pytest.fixture
def url(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database."""
    with empty_url(dialect, tmp_path, request) as url:
        yield url


@pytest.fixture
def database(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated database."""
    with migrated_database(dialect, tmp_path, request) as database:
        yield database


@pytest.fixture
def repository(database: Database) -> Repository:
    """Its repository."""
    return Repository(database)
