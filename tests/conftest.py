"""Real servers, each started once and only when a test wants it; no generated example is judged by its time."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.databases import opened
from tests.support.minio import Minio, minio_server
from tests.support.postgres import fresh_database, postgres_server
from tests.support.processes import ServerUnavailable

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server's maintenance database; make databases of your own beside it (``fresh_database``)."""
    try:
        with postgres_server() as url:
            yield url
    except ServerUnavailable as reason:
        pytest.skip(f"PostgreSQL: {reason}")


@pytest.fixture(scope="session")
def migrated_postgres_url(postgres_url: str) -> Iterator[str]:
    """A migrated database of the PostgreSQL server (see ``tests.support.databases``)."""
    with fresh_database(postgres_url) as url:
        with opened(url):
            pass
        yield url


@pytest.fixture(scope="session")
def minio() -> Iterator[Minio]:
    """A MinIO server, with the AWS_* variables set for the rest of the session."""
    patch = pytest.MonkeyPatch()
    try:
        with minio_server() as server:
            for name, value in server.environment.items():
                patch.setenv(name, value)
            yield server
    except ServerUnavailable as reason:
        pytest.skip(f"MinIO: {reason}")
    finally:
        patch.undo()


@pytest.fixture(scope="session")
def s3_bucket_url(minio: Minio) -> str:
    """An empty bucket of the MinIO server; give every test a prefix of its own below it."""
    import boto3

    boto3.client("s3").create_bucket(Bucket="trainyard")
    return "s3://trainyard"
