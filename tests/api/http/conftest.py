"""The whole API in this process, on SQLite and files below a temporary folder, with nothing behind it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from tests.support.api_calls import TOKEN, ApiClient
from tests.support.mlflow_server import MlflowServer, mlflow_server

from trainyard_api.app import create_app
from trainyard_api.services.platform import Platform
from trainyard_api.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An embedded platform's settings; MLflow is not there."""
    token = tmp_path / "api-token"
    token.write_text(f"{TOKEN}\n")
    return Settings(state_dir=tmp_path, api_token_file=token, mlflow_url="http://127.0.0.1:9", max_upload_bytes=4 * 1024**2)


@contextmanager
def opened(settings: Settings) -> Iterator[Platform]:
    """A migrated platform's parts."""
    platform = Platform.open(settings)
    platform.database.migrate()
    yield platform
    platform.close()


def app_on(platform: Platform) -> Flask:
    """The app on these parts."""
    app = create_app(platform=platform)
    app.test_client_class = ApiClient
    return app


def client_of(app: Flask) -> ApiClient:
    """A client with the token."""
    client = app.test_client()
    assert isinstance(client, ApiClient)
    return client


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    """Its parts."""
    with opened(settings) as platform:
        yield platform


@pytest.fixture
def app(platform: Platform) -> Flask:
    """The app on these parts."""
    return app_on(platform)


@pytest.fixture
def client(app: Flask) -> ApiClient:
    """A client with the token."""
    return client_of(app)


@pytest.fixture(scope="session")
def mlflow() -> Iterator[MlflowServer]:
    """A real MLflow server."""
    with mlflow_server() as server:
        yield server


@pytest.fixture
def tracked(settings: Settings, mlflow: MlflowServer) -> Iterator[Platform]:
    """The platform with that server."""
    with opened(settings.model_copy(update={"mlflow_url": mlflow.url})) as platform:
        yield platform


@pytest.fixture
def tracked_app(tracked: Platform) -> Flask:
    """The app on it."""
    return app_on(tracked)


@pytest.fixture
def tracked_client(tracked_app: Flask) -> ApiClient:
    """A client of that app."""
    return client_of(tracked_app)
