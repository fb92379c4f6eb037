"""What a template renders and the trainer reads: one run, fully described."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class ResourceSpec(BaseModel):
    """What a run asks of the engine. CPUs and GPUs are counts per worker, memory is GiB per worker."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: int = Field(default=1, ge=1)
    min_workers: int | None = Field(default=None, ge=1)
    cpus_per_worker: float = Field(default=1.0, gt=0)
    gpus_per_worker: float = Field(default=0.0, ge=0)
    memory_gb_per_worker: float | None = Field(default=None, gt=0)

    @property
    def fewest_workers(self) -> int:
        """The smallest number of workers that the run accepts."""
        return self.workers if self.min_workers is None else self.min_workers


class CheckpointPolicy(BaseModel):
    """Which checkpoints stay: the newest ``keep``, and the best one by ``best_metric`` where that is named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: int = Field(default=2, ge=1, le=100)
    best_metric: str | None = Field(default=None, min_length=1, max_length=250)
    best_mode: Literal["min", "max"] = "min"


class RunSpec(BaseModel):
    """One run. `entry` is a file of the code archive (`script`) or `module:function` (`function`).

    `resume_from` is the key prefix of a checkpoint below the object store's URL, taken while the run has no whole one of its own;
    `stall_seconds`: how long a rank may go without a step or a report before it counts as hung, None for as long as it likes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    kind: Literal["script", "function"]
    entry: str
    argv: list[str] = []
    config: dict[str, Any] = {}
    code_uri: str | None = None
    data_uri: str | None = None
    resources: ResourceSpec = ResourceSpec()
    seed: int | None = None
    model_name: str | None = None
    env: dict[str, str] = {}
    checkpoints: CheckpointPolicy = CheckpointPolicy()
    resume_from: str | None = Field(default=None, pattern=r"^jobs/[A-Za-z0-9_-]+/checkpoints/\d{12}$")
    stall_seconds: int | None = Field(default=None, ge=10)
