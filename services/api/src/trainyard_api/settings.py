"""Settings of the API and the controller, from TRAINYARD_* variables; read once per process."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


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
    engine: Literal["local", "kubernetes", "memory"] = "local"
    ray_address: str = Field(default="http://127.0.0.1:8720", description="URL of the Ray dashboard")
    ray_auth_token_file: Path | None = None
    api_token_file: Path | None = Field(
        default=None,
        description="Bearer token of the embedded API; no authentication when unset",
    )
    portal_dir: Path | None = Field(default=None, description="The portal's build, served beside the API; nothing is when unset")
    teams_file: Path | None = Field(default=None, description="JSON list of teams (see teams.Team); one team 'default' when unset")
    instance: str = Field(
        default="trainyard",
        pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
        description="app.kubernetes.io/instance of everything that the Kubernetes engine makes",
    )
    trainer_image: str = Field(default="", description="Image of jobs on CPUs")
    trainer_cuda_image: str = Field(default="", description="Image of jobs that ask for GPUs; trainer_image by default")
    trainer_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    trainer_image_pull_secrets: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Names of Secrets in each team's namespace, with commas between them"
    )
    job_secret: str = Field(default="", description="Secret in each team's namespace that holds the object store's credentials")
    job_mlflow_url: str = Field(default="", description="MLflow as pods see it; mlflow_url by default")
    job_s3_endpoint_url: str = Field(default="", description="The S3 endpoint as pods see it; AWS's own when empty")
    job_s3_region: str = "us-east-1"
    max_upload_bytes: int = Field(default=2 * 1024**3, gt=0)
    max_unpacked_bytes: int = Field(default=8 * 1024**3, gt=0)
    git_hosts: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        default=None, description="The only hosts that code is fetched from, with commas between them; any public one when unset"
    )
    poll_seconds: float = Field(default=0.5, gt=0, description="Pause between two rounds of the controller")
    lease_seconds: float = Field(default=10.0, gt=0)
    infrastructure_retries: int = Field(
        default=3, ge=0, description="How often a job is tried again after failures that are not its own, apart from its retries"
    )
    growth_seconds: float = Field(
        default=30.0, ge=0, description="Room must have been there for this long before an elastic job is interrupted to get more workers"
    )
    heartbeat_timeout_seconds: float = Field(default=60.0, gt=0, description="An attempt whose driver is silent for this long is ended")

    @field_validator("state_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("trainer_image_pull_secrets", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @field_validator("git_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: Any) -> Any:
        return (cls._names(value) or None) if isinstance(value, str) else value

    @field_validator("teams_file", mode="before")
    @classmethod
    def _no_file(cls, value: Any) -> Any:
        return value or None

    @model_validator(mode="after")
    def _usable_from_pods(self) -> Self:
        if self.engine == "kubernetes":
            if not self.trainer_image:
                raise ValueError("TRAINYARD_ENGINE=kubernetes needs TRAINYARD_TRAINER_IMAGE: the image that jobs run in")
            if not self.object_store_url.startswith("s3://"):
                raise ValueError("TRAINYARD_ENGINE=kubernetes needs a TRAINYARD_OBJECT_STORE_URL like s3://bucket, which pods can reach")
        return self

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
