"""The interface of a job kind, and the parameters that the kinds share."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from trainyard_templates.runspec import ResourceSpec, RunSpec

RESERVED_PREFIXES = ("TRAINYARD_", "RAY_")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class CommonParameters(BaseModel):
    """Resources and seed: what every job kind asks for."""

    # Strict: `true` is no number, and "2" is none either; only the command line turns text into what a parameter is.
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)

    workers: int = Field(default=1, ge=1, le=1024, title="Workers", description="Training processes; one rank each.")
    min_workers: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        title="Fewest workers",
        description="Start with as few when the machine is busy, and grow at a checkpoint later; empty: always exactly 'workers'.",
    )
    cpus_per_worker: float = Field(default=1.0, ge=0.1, le=1024, title="CPUs per worker", description="CPU cores for each worker.")
    gpus_per_worker: float = Field(
        default=0.0, ge=0, le=64, title="GPUs per worker", description="GPUs for each worker; 0 trains on the CPU."
    )
    memory_gb_per_worker: float | None = Field(
        default=None, gt=0, le=65536, title="Memory per worker (GiB)", description="Memory reserved for each worker; empty: no reservation."
    )
    seed: int = Field(default=0, ge=0, le=2**32 - 1, title="Seed", description="Seed of every random generator.")
    stall_seconds: int | None = Field(
        default=None,
        ge=10,
        le=604_800,
        title="Stall limit (s)",
        description="A rank that makes no optimizer step and no report for this long is ended as hung; empty: no such limit.",
    )

    @model_validator(mode="after")
    def _fewest_within_workers(self) -> CommonParameters:
        if self.min_workers is not None and self.min_workers > self.workers:
            raise ValueError(f"min_workers is {self.min_workers}, more than workers ({self.workers}); lower it or raise workers")
        return self

    def resources(self) -> ResourceSpec:
        """These parameters as a resource request."""
        return ResourceSpec(**{name: getattr(self, name) for name in ResourceSpec.model_fields})


class CodeParameters(CommonParameters):
    """What kinds that run the user's own code share."""

    env: dict[str, str] = Field(default={}, title="Environment", description="Environment variables of every worker. Not for secrets.")
    model_name: ModelName | None = Field(
        default=None, title="Model name", description="Name in the model registry for models logged through trainyard_train.log_model."
    )

    @field_validator("env")
    @classmethod
    def _names_are_the_users(cls, env: dict[str, str]) -> dict[str, str]:
        for name in env:
            if not _ENV_NAME.match(name):
                raise ValueError(f"{name!r} is not a variable name; use letters, digits and underscores")
            if name.startswith(RESERVED_PREFIXES):
                raise ValueError(f"{name} is reserved; choose a name that does not start with {' or '.join(RESERVED_PREFIXES)}")
        return env


class TrainingParameters(CommonParameters):
    """Hyper-parameters that the ready trainers share."""

    epochs: int = Field(default=10, ge=1, le=100_000, title="Epochs", description="Passes over the training set.")
    batch_size: int = Field(default=64, ge=1, le=65536, title="Batch size", description="Samples per worker and step.")
    learning_rate: float = Field(default=1e-3, gt=0, le=100, title="Learning rate", description="Peak learning rate.")
    weight_decay: float = Field(default=1e-4, ge=0, le=10, title="Weight decay", description="Decoupled for adamw, L2 for the others.")
    optimizer: Literal["adamw", "adam", "sgd"] = Field(default="adamw", title="Optimizer", description="sgd uses Nesterov momentum 0.9.")
    schedule: Literal["constant", "cosine", "one-cycle", "step"] = Field(
        default="cosine", title="Schedule", description="How the learning rate moves; 'step' divides by 10 at 1/2 and 3/4 of the epochs."
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto", title="Precision", description="auto: bf16 on GPUs that have it, fp16 on other GPUs, fp32 on the CPU."
    )
    checkpoint_every: int = Field(default=1, ge=0, le=100_000, title="Checkpoint interval", description="In epochs; 0: never.")
    checkpoint_every_steps: int = Field(
        default=0,
        ge=0,
        le=100_000_000,
        title="Checkpoint interval in steps",
        description="For long epochs: also a checkpoint after every so many optimizer steps; 0: none.",
    )
    test_fraction: float = Field(
        default=0.2, gt=0, lt=1, title="Test fraction", description="Part of the samples held out for the test figures."
    )
    model_name: ModelName | None = Field(
        default=None, title="Model name", description="Name in the model registry; empty: the job kind's default."
    )


class Template(ABC):
    """One job kind. Stateless; one instance per process."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    needs_code: ClassVar[bool] = False
    takes_data: ClassVar[bool] = True
    parameters: ClassVar[type[CommonParameters]]

    def validate(self, parameters: dict[str, Any]) -> CommonParameters:
        """`parameters` checked and completed with defaults.

        Raises:
            pydantic.ValidationError: names every field that is wrong.
        """
        return self.parameters.model_validate(parameters)

    @abstractmethod
    def render(self, parameters: CommonParameters, *, code_uri: str | None = None, data_uri: str | None = None) -> RunSpec:
        """The run that these parameters describe."""

    def entry_file(self, parameters: CommonParameters) -> str | None:
        """The file that the code archive must hold for this run, or None."""
        return None

    def schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the parameters, for forms and checks."""
        return self.parameters.model_json_schema()


class ReadyTemplate(Template):
    """A ready trainer: a function inside `trainyard_train.ready` that gets the parameters as its config."""

    entry: ClassVar[str]

    def render(self, parameters: CommonParameters, *, code_uri: str | None = None, data_uri: str | None = None) -> RunSpec:
        config = parameters.model_dump(mode="json", exclude=set(ResourceSpec.model_fields) | {"seed", "model_name", "stall_seconds"})
        return RunSpec(
            kind="function",
            entry=self.entry,
            config=config,
            data_uri=data_uri,
            resources=parameters.resources(),
            seed=parameters.seed,
            model_name=getattr(parameters, "model_name", None) or self.name,
            stall_seconds=parameters.stall_seconds,
        )
