"""What each program of the embedded platform is told of where its data is."""

from pathlib import Path

import pytest

from trainyard.embedded.components import Component, components
from trainyard.embedded.config import PlatformConfig

STORES = {
    "TRAINYARD_DATABASE_URL": "postgresql://u:swordfish@db/trainyard",
    "TRAINYARD_OBJECT_STORE_URL": "s3://bucket",
    "TRAINYARD_MLFLOW_DATABASE_URL": "postgresql://u:swordfish@db/mlflow",
}


def by_name(folder: Path) -> dict[str, Component]:
    return {one.name: one for one in components(PlatformConfig(folder))}


def test_data_are_files_below_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in STORES:
        monkeypatch.delenv(name, raising=False)
    programs = by_name(tmp_path)
    assert programs["mlflow"].environment["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert not set(STORES) & set(programs["api"].environment)


def test_servers_elsewhere_are_told_to_whom_they_concern_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in STORES.items():
        monkeypatch.setenv(name, value)
    programs = by_name(tmp_path)
    for name in ("api", "controller"):
        told = programs[name].environment
        assert (told["TRAINYARD_DATABASE_URL"], told["TRAINYARD_OBJECT_STORE_URL"]) == (STORES["TRAINYARD_DATABASE_URL"], "s3://bucket")
        assert "TRAINYARD_MLFLOW_DATABASE_URL" not in told
    assert programs["mlflow"].environment["MLFLOW_BACKEND_STORE_URI"] == "postgresql+psycopg2://u:swordfish@db/mlflow"
    assert not [value for value in programs["ray"].environment.values() if "swordfish" in value]
    assert not [word for program in programs.values() for word in program.argv if "swordfish" in word]
