"""Drafts of jobs: everything that can be known to be wrong with one is found here. Neither Ray nor MLflow is asked."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import ValidationError

from trainyard_api.services.checkpoints import Checkpoint, find_to_resume
from trainyard_api.services.draft_checks import config_errors, entry_errors, find_code, find_data, find_team, tag_errors
from trainyard_api.services.errors import FieldError, Invalid
from trainyard_api.services.field_errors import field_errors
from trainyard_api.services.fit import misfits
from trainyard_api.services.images import image_errors
from trainyard_api.services.platform import Platform
from trainyard_api.teams import Team
from trainyard_templates import CheckpointPolicy, RunSpec, Template, UnknownTemplate
from trainyard_templates import get as get_template
from trainyard_templates.base import CommonParameters


@dataclass(frozen=True)
class JobDraft:
    """What a user asks for, well-formed but not yet checked against anything."""

    template: str
    name: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    code: str | None = None
    data: str | None = None
    image: str | None = None
    team: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    retries: int = 0
    deadline_seconds: int | None = None
    #: {"job", "step"}; a step of None means the newest.
    resume: dict[str, Any] | None = None
    #: A CheckpointPolicy.
    checkpoints: dict[str, Any] | None = None

    def fingerprint(self) -> str:
        """sha256 of the draft in canonical form: the same for bodies that ask for the same."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True)
class CheckedDraft:
    """A draft in which nothing is wrong, and the run that it describes; ``misfits`` say why the engine could never run it."""

    template: Template
    team: Team
    parameters: CommonParameters
    spec: RunSpec
    resume: Checkpoint | None
    misfits: list[FieldError]


def check(platform: Platform, draft: JobDraft) -> CheckedDraft:
    """The draft checked and rendered. Raises Invalid with every field that is wrong, but not for a misfit."""
    try:
        template = get_template(draft.template)
    except UnknownTemplate as unknown:
        raise Invalid(FieldError("template", str(unknown), unknown.fix)) from unknown
    team, errors = find_team(platform, draft.team, template)
    errors += tag_errors(draft.tags)
    code, code_errors = find_code(platform, template, draft.code)
    data, data_errors = find_data(platform, template, draft.data)
    errors += code_errors + data_errors + image_errors(platform.settings, team, draft.image)
    resume, resume_errors = _find_resume(platform, draft)
    errors += resume_errors
    try:
        parameters = template.validate(draft.parameters)
    except ValidationError as error:
        errors += field_errors(error, prefix="parameters", known=template.parameters.model_fields)
        raise Invalid(*errors) from error
    rendered = template.render(
        parameters,
        code_uri=platform.objects.uri(code.key) if code else None,
        data_uri=platform.objects.uri(data.key) if data else None,
    )
    policy = CheckpointPolicy.model_validate(draft.checkpoints or {})
    spec = rendered.model_copy(update={"checkpoints": policy, "resume_from": resume.key if resume else None})
    errors += entry_errors(template, parameters, spec, code)
    errors += config_errors(parameters.model_dump(mode="json"), spec)
    if errors or team is None:
        raise Invalid(*errors)
    capacity = platform.repository.get_capacity()
    # A queue has limits of its own, and a cluster that grows on demand has no largest node.
    unfit = misfits(spec.resources, capacity) if capacity is not None and team.queue is None else []
    return CheckedDraft(template, team, parameters, spec, resume, unfit)


def _find_resume(platform: Platform, draft: JobDraft) -> tuple[Checkpoint | None, list[FieldError]]:
    if draft.resume is None:
        return None, []
    try:
        return find_to_resume(platform, draft.resume["job"], draft.resume["step"]), []
    except Invalid as invalid:
        return None, [*invalid.errors]
