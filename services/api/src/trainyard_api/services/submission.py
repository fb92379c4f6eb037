"""Accepting jobs: everything that can be known to be wrong is refused before a row is written. Neither Ray nor MLflow is asked."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from trainyard_api.services.errors import FieldError, Invalid
from trainyard_api.services.field_errors import did_you_mean, field_errors
from trainyard_api.services.fit import misfits
from trainyard_api.services.job_ids import default_name, new_job_id
from trainyard_api.services.mlflow_names import parameter_problem, repeated, tag_problem
from trainyard_api.services.platform import Platform
from trainyard_api.services.strict_json import printable
from trainyard_api.store.errors import NotFound
from trainyard_api.store.models import Job, Upload
from trainyard_api.store.repository import NewJob
from trainyard_api.teams import Team, UnknownTeam
from trainyard_templates import RunSpec, Template, UnknownTemplate
from trainyard_templates import get as get_template
from trainyard_templates.base import CommonParameters

#: The run travels to the trainer in one environment variable, of which Linux takes at most 128 KiB.
MAX_SPEC_BYTES = 96 * 1024
_RESERVED_TAGS = ("mlflow.", "trainyard.")


@dataclass(frozen=True)
class JobDraft:
    """What a user asks for, well-formed but not yet checked against anything."""

    template: str
    name: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    code: str | None = None
    data: str | None = None
    team: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    retries: int = 0
    deadline_seconds: int | None = None

    def fingerprint(self) -> str:
        """sha256 of the draft in canonical form: the same for bodies that ask for the same."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


def submit(platform: Platform, draft: JobDraft, *, key: str | None = None) -> tuple[Job, bool]:
    """Accept the job; with a key that was used before for the same draft, the job it made.

    Returns the job and whether it is new. Raises Invalid, and KeyReused when the key came with another draft.
    """
    fingerprint = draft.fingerprint()
    if key is not None:  # what was accepted stays accepted, also when the engine has become smaller since
        known = platform.repository.job_of_key(key, fingerprint)
        if known is not None:
            return known, False
    return platform.repository.create_job(_prepare(platform, draft), key=key, fingerprint=fingerprint)


def clone(platform: Platform, job_id: str, changes: dict[str, Any]) -> Job:
    """A new job like ``job_id``, with some fields of the draft changed; ``parameters`` are merged. Raises NotFound, Invalid."""
    old = platform.repository.get_job(job_id)
    parameters = {**old.parameters, **changes.get("parameters", {})}
    draft = JobDraft(
        template=old.template,
        name=None if old.name == default_name(old.template, old.id) else old.name,
        code=old.code,
        data=old.data,
        team=old.team,
        tags=dict(old.tags),
        retries=old.retries,
        deadline_seconds=old.deadline_seconds,
    )
    job, _ = submit(platform, replace(draft, **{**changes, "parameters": parameters}))
    return job


def _prepare(platform: Platform, draft: JobDraft) -> NewJob:
    """The draft checked and rendered. Raises Invalid with every field that is wrong."""
    try:
        template = get_template(draft.template)
    except UnknownTemplate as unknown:
        raise Invalid(FieldError("template", str(unknown), unknown.fix)) from unknown
    team, errors = _find_team(platform, draft.team, template)
    errors += _tag_errors(draft.tags)
    code, code_errors = _find_code(platform, template, draft.code)
    data, data_errors = _find_data(platform, template, draft.data)
    errors += code_errors + data_errors
    try:
        parameters = template.validate(draft.parameters)
    except ValidationError as error:
        errors += field_errors(error, prefix="parameters", known=template.parameters.model_fields)
        raise Invalid(*errors) from error
    spec = template.render(
        parameters,
        code_uri=platform.objects.uri(code.key) if code else None,
        data_uri=platform.objects.uri(data.key) if data else None,
    )
    errors += _entry_errors(template, parameters, spec, code)
    errors += _config_errors(parameters.model_dump(mode="json"), spec)
    capacity = platform.repository.get_capacity()
    # A queue has limits of its own, and a cluster that grows on demand has no largest node.
    if capacity is not None and team is not None and team.queue is None:
        errors += misfits(spec.resources, capacity)
    if errors or team is None:
        raise Invalid(*errors)
    job_id = new_job_id()
    return NewJob(
        id=job_id,
        name=draft.name or default_name(template.name, job_id),
        template=template.name,
        team=team.name,
        parameters=parameters.model_dump(mode="json"),
        tags=draft.tags,
        spec=spec.model_dump(mode="json"),
        resources=spec.resources.model_dump(mode="json"),
        code=draft.code,
        data=draft.data,
        retries=draft.retries,
        deadline_seconds=draft.deadline_seconds,
    )


def _find_team(platform: Platform, name: str | None, template: Template) -> tuple[Team | None, list[FieldError]]:
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


def _tag_errors(tags: dict[str, str]) -> list[FieldError]:
    errors = []
    for name in tags:
        problem = tag_problem(name)
        if problem is not None:
            errors.append(FieldError(f"tags.{printable(name)}", *problem))
        elif name.startswith(_RESERVED_TAGS):
            errors.append(FieldError(f"tags.{name}", "is a name that the platform uses itself", "start it with something else"))
    return errors


def _find_code(platform: Platform, template: Template, upload_id: str | None) -> tuple[Upload | None, list[FieldError]]:
    if upload_id is None:
        if not template.needs_code:
            return None, []
        return None, [FieldError("code", f"{template.name} runs your own code, and none is given", "upload a .zip with POST /api/v1/code")]
    if not template.needs_code:
        return None, [FieldError("code", f"{template.name} brings its own code", "leave code out")]
    return _find(platform, "code", upload_id, "/api/v1/code")


def _find_data(platform: Platform, template: Template, upload_id: str | None) -> tuple[Upload | None, list[FieldError]]:
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


def _entry_errors(template: Template, parameters: CommonParameters, spec: RunSpec, code: Upload | None) -> list[FieldError]:
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


def _config_errors(parameters: dict[str, Any], spec: RunSpec) -> list[FieldError]:
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
