"""One real Ray head and one MLflow server for all tests of the trainer, started when the first test wants them."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.memory_group import memory_group as make_memory_group
from tests.support.mlflow_server import MlflowServer, mlflow_server
from tests.support.ray_head import RayHead, ray_head
from tests.support.trainer_lab import Lab

from trainyard_train import api


@pytest.fixture(scope="session")
def ray() -> Iterator[RayHead]:
    """A head with two CPUs."""
    with ray_head(cpus=2) as head:
        yield head


@pytest.fixture(scope="session")
def mlflow() -> Iterator[MlflowServer]:
    """A server; a test that stops it starts it again."""
    with mlflow_server() as server:
        yield server


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, ray: RayHead, mlflow: MlflowServer) -> Lab:
    """Where jobs are submitted."""
    return Lab(tmp_path_factory.mktemp("lab"), ray, mlflow)


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where checkpoints wait to be sent: this process reports as one of a job's does."""
    monkeypatch.setenv("TRAINYARD_RECORDS", str(tmp_path / "records.jsonl"))
    monkeypatch.setenv("TRAINYARD_CHECKPOINTS", str(tmp_path / "checkpoints"))
    for cached in (api.records, api.state_saver):
        cached.cache_clear()
    yield tmp_path / "checkpoints"
    for cached in (api.records, api.state_saver):
        cached.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder with a name that a URL must quote."""
    path = tmp_path / "a folder"
    path.mkdir()
    return path


@pytest.fixture
def memory_group() -> Iterator[Path]:
    """An empty control group with little memory; processes are moved into it."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(make_memory_group())
        except OSError as error:
            pytest.skip(f"no control group can be made here: {error}")
        yield folder
