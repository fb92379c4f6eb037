"""Settings of the API and the controller, from TRAINYARD_* variables; read once per process."""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where things are. Every field can be set as TRAINYARD_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="TRAINYARD_", frozen=True)

    state_dir: Path = Field(
        default=Path("~/.trainyard"),
        description="Folder for everything the embedded platform keeps",
    )
    database_url: str = Field(default="", description="SQLAlchemy URL; SQLite below state_dir by default")
    object_store_url: str = Field(
        default="",
        description="file:///dir or s3://bucket/prefix; below state_dir by default",
    )
    mlflow_url: str = Field(
        default="http://127.0.0.1:8710",
        description="MLflow server that the platform talks to",
    )
    mlflow_public_url: str = Field(
        default="",
        description="MLflow URL that a user's browser can open; mlflow_url by default",
    )
    engine: Literal["local", "memory"] = "local"
    ray_address: str = Field(default="http://127.0.0.1:8720", description="URL of the Ray dashboard")
    ray_auth_token_file: Path | None = None
    api_token_file: Path | None = Field(
        default=None,
        description="Bearer token of the embedded API; no authentication when unset",
    )
    max_upload_bytes: int = Field(default=2 * 1024**3, gt=0)
    max_unpacked_bytes: int = Field(default=8 * 1024**3, gt=0)
    poll_seconds: float = Field(default=0.5, gt=0, description="Pause between two rounds of the controller")
    lease_seconds: float = Field(default=10.0, gt=0)
    heartbeat_timeout_seconds: float = Field(default=60.0, gt=0, description="An attempt whose driver is silent for this long is ended")

    @field_validator("state_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @cached_property
    def database(self) -> str:
        """The database URL, with its default."""
        return self.database_url or f"sqlite:///{self.state_dir}/trainyard.db"

    @cached_property
    def object_store(self) -> str:
        """The object store's URL, with its default."""
        return self.object_store_url or (self.state_dir / "objects").as_uri()

    @cached_property
    def mlflow_browser_url(self) -> str:
        """Where a browser finds MLflow."""
        return (self.mlflow_public_url or self.mlflow_url).rstrip("/")

    def read_token(self, path: Path | None) -> str | None:
        """The token in a file, or None when no file is set. Raises OSError when it cannot be read."""
        return path.read_text().strip() if path else None
