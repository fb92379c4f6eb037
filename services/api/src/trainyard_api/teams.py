"""Teams: who may submit what, and where each team's jobs run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from trainyard_api.images import ImagePattern, ImageReference, PatternText
from trainyard_templates.runspec import ResourceSpec

_Label = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


class WarmPool(BaseModel):
    """Ray clusters that are kept ready for a team's next jobs of one size, as an item of `warm` in the teams file spells it.

    Attributes:
        clusters: how many wait at a time; each is given to one job.
        workers, cpus_per_worker, gpus_per_worker, memory_gb_per_worker: the size; a job must ask for the same.
        image: what its jobs run in; None: the platform's.
        idle_minutes: how long after the team's last submission they are kept; None: always.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=_camel, populate_by_name=True)

    clusters: Annotated[int, Field(ge=1, le=100)] = 1
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    cpus_per_worker: Annotated[float, Field(ge=0.1, le=1024)] = 1.0
    gpus_per_worker: Annotated[float, Field(ge=0, le=64)] = 0.0
    memory_gb_per_worker: Annotated[float, Field(gt=0, le=65536)] | None = None
    image: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    idle_minutes: Annotated[float, Field(gt=0)] | None = 60.0

    def resources(self) -> dict[str, Any]:
        """The size, as a job's resources are written."""
        return ResourceSpec(**{name: getattr(self, name) for name in ResourceSpec.model_fields if name != "min_workers"}).model_dump()


class Team(BaseModel):
    """One team, as an item of the teams file spells it (in camel case). Names are DNS labels.

    Attributes:
        namespace, service_account: where its jobs run in Kubernetes, and as whom.
        queue: its Kueue LocalQueue; None: the controller itself decides what starts when.
        priority_class: the Kueue WorkloadPriorityClass of its jobs.
        allowed_templates: the only job kinds that it may submit; None: all.
        allowed_images: patterns of the images that its jobs may run in beside the platform's own; None: no others.
        max_jobs: how many of its jobs may hold resources at a time; None: as many as fit.
        warm: pools of Ray clusters that wait for its next jobs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=_camel, populate_by_name=True)

    name: _Label
    namespace: _Label = "default"
    service_account: Annotated[str, Field(min_length=1, max_length=253)] = "default"
    queue: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    priority_class: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    allowed_templates: tuple[str, ...] | None = None
    allowed_images: tuple[PatternText, ...] | None = None
    max_jobs: Annotated[int, Field(ge=1)] | None = None
    warm: tuple[WarmPool, ...] = ()

    def allows_image(self, image: ImageReference) -> bool:
        """Whether its jobs may name this image."""
        return any(ImagePattern.parse(pattern).allows(image) for pattern in self.allowed_images or ())


class UnknownTeam(LookupError):
    """No team has this name."""


class Teams(BaseModel):
    """Every team of the platform; the first one is that of jobs that name none."""

    model_config = ConfigDict(frozen=True)

    items: Annotated[tuple[Team, ...], Field(min_length=1)] = (Team(name="default"),)

    @model_validator(mode="after")
    def _distinct(self) -> Teams:
        for name in self.names:
            if self.names.count(name) > 1:
                raise ValueError(f"two teams are called {name!r}; rename one of them")
        return self

    @property
    def names(self) -> list[str]:
        """Their names, in the file's order."""
        return [team.name for team in self.items]

    @property
    def default(self) -> Team:
        """The team of jobs that name none."""
        return self.items[0]

    def get(self, name: str) -> Team:
        """The team called ``name``. Raises UnknownTeam."""
        for team in self.items:
            if team.name == name:
                return team
        raise UnknownTeam(f"there is no team {name!r}")

    def __iter__(self) -> Iterator[Team]:  # type: ignore[override]
        return iter(self.items)


def load_teams(path: Path | None) -> Teams:
    """The teams of a teams file, or the one team ``default`` when there is none.

    Raises:
        ValueError: the file cannot be read or is not a list of teams; names the file, the item and the field.
    """
    if path is None:
        return Teams()
    try:
        items = TypeAdapter(tuple[Team, ...]).validate_python(json.loads(path.read_text()))
        return Teams(items=items)
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"TRAINYARD_TEAMS_FILE {path} cannot be read: {error}") from error
    except ValidationError as error:
        findings = [f"{'.'.join(map(str, detail['loc'])) or 'the list'}: {detail['msg']}" for detail in error.errors(include_url=False)]
        raise ValueError(f"TRAINYARD_TEAMS_FILE {path}: {'; '.join(findings)}") from error
