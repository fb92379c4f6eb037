"""What a draft of a job can get wrong beside its parameters: team, tags, uploads, entry file, names that MLflow refuses."""

import json
from typing import Any

from trainyard_api.services.errors import FieldError
from trainyard_api.services.field_errors import did_you_mean
from trainyard_api.services.mlflow_names import parameter_problem, repeated, tag_problem
from trainyard_api.services.platform import Platform
from trainyard_api.services.strict_json import printable
from trainyard_api.store.errors import NotFound
from trainyard_api.store.models import Upload
from trainyard_api.teams import Team, UnknownTeam
from trainyard_templates import RunSpec, Template
from trainyard_templates.base import CommonParameters

#: The run travels to the trainer in one environment variable, of which Linux takes at most 128 KiB.
MAX_SPEC_BYTES = 96 * 1024
_RESERVED_TAGS = ("mlflow.", "trainyard.")


def find_team(platform: Platform, name: str | None, template: Template) -> tuple[Team | None, list[FieldError]]:
    """The team that the job is of, and whether it may run this kind of job."""
    if name is None:
        team = platform.teams.default
    else:
        try:
            team = platform.teams.get(name)
        except UnknownTeam:
            message = f"there is no team {printable(name)}"
            return None, [FieldError("team", message, did_you_mean(name, platform.teams.names))]
    if team.allowed_templates is not None and template.name not in team.allowed_templates:
        fix = f"use one of: {', '.join(team.allowed_templates)}" if team.allowed_templates else "submit it for another team"
        return team, [FieldError("template", f"the team {team.name} may not run {template.name}", fix)]
    return team, []


def tag_errors(tags: dict[str, str]) -> list[FieldError]:
    """The tags whose names cannot be used."""
    errors = []
    for name in tags:
        problem = tag_problem(name)
        if problem is not None:
            errors.append(FieldError(f"tags.{printable(name)}", *problem))
        elif name.startswith(_RESERVED_TAGS):
            errors.append(FieldError(f"tags.{name}", "is a name that the platform uses itself", "start it with something else"))
    return errors


def find_code(platform: Platform, template: Template, upload_id: str | None) -> tuple[Upload | None, list[FieldError]]:
    """The code archive, where the template runs the user's own code."""
    if upload_id is None:
        if not template.needs_code:
            return None, []
        return None, [FieldError("code", f"{template.name} runs your own code, and none is given", "upload a .zip with POST /api/v1/code")]
    if not template.needs_code:
        return None, [FieldError("code", f"{template.name} brings its own code", "leave code out")]
    return _find(platform, "code", upload_id, "/api/v1/code")


def find_data(platform: Platform, template: Template, upload_id: str | None) -> tuple[Upload | None, list[FieldError]]:
    """The data set, where one is named."""
    if upload_id is None:
        return None, []
    if not template.takes_data:
        return None, [FieldError("data", f"{template.name} takes no data set", "leave data out")]
    return _find(platform, "data", upload_id, "/api/v1/datasets")


def _find(platform: Platform, kind: str, upload_id: str, path: str) -> tuple[Upload | None, list[FieldError]]:
    try:
        return platform.repository.get_upload(kind, upload_id), []
    except NotFound:
        return None, [FieldError(kind, f"there is no upload with the id {printable(upload_id)}", f"upload it with POST {path}")]


def entry_errors(template: Template, parameters: CommonParameters, spec: RunSpec, code: Upload | None) -> list[FieldError]:
    """A run of the user's code needs its entry file in the archive; a function's module may be a package too."""
    entry = template.entry_file(parameters)
    if entry is None or code is None:
        return []
    places = [entry]
    if spec.kind == "function":
        places.append(f"{entry.removesuffix('.py')}/__init__.py")
    if any(place in code.files for place in places):
        return []
    programs = [name for name in code.files if name.endswith(".py")]
    same_name = [name for name in programs if name.rpartition("/")[2] == entry.rpartition("/")[2]]
    fix = f"did you mean {same_name[0]!r}?" if same_name else did_you_mean(entry, programs[:20])
    return [FieldError("parameters.entry", f"{entry} is not in the code archive", fix if programs else "add it to the archive")]


def config_errors(parameters: dict[str, Any], spec: RunSpec) -> list[FieldError]:
    """A function's config becomes MLflow parameters named ``config.<key>``; and the whole run must fit where it is handed over."""
    size = len(json.dumps(spec.model_dump(mode="json")).encode())
    if size > MAX_SPEC_BYTES:
        message = f"the run they describe takes {size:,} bytes, at most {MAX_SPEC_BYTES:,} can be handed to the workers"
        return [FieldError("parameters", message, "put large values in a file of the code archive or in a data set")]
    names = [*_flat_names(parameters["config"], "config.")] if isinstance(parameters.get("config"), dict) else []
    errors = []
    for name in names:
        problem = parameter_problem(name)
        if problem is not None:
            errors.append(FieldError(f"parameters.{printable(name)}", *problem))
    for name in sorted(repeated(names)):
        message = f"two keys become the one MLflow parameter {name}"
        errors.append(FieldError(f"parameters.{printable(name)}", message, "rename one of them"))
    return errors[:20]


def _flat_names(config: dict[str, Any], prefix: str) -> list[str]:
    names: list[str] = []
    for key, value in config.items():
        names += _flat_names(value, f"{prefix}{key}.") if isinstance(value, dict) and value else [f"{prefix}{key}"]
    return names
