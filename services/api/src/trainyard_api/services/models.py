"""The model registry: versions, and the aliases that lead to them."""

import re
from dataclasses import replace

from trainyard_api.services.errors import FieldError, Invalid, Missing
from trainyard_api.services.platform import Platform
from trainyard_api.services.strict_json import printable
from trainyard_api.tracking import ModelVersion, RegisteredModel, TrackingMissing, TrackingRefused

_MOST_VERSIONS = 1000
_ALIAS = re.compile(r"[\w-]{1,255}\Z")
_RESERVED_ALIAS = re.compile(r"latest\Z|v\d+\Z", re.IGNORECASE)
_VERSION = re.compile(r"[1-9]\d{0,8}\Z", re.ASCII)


def list_versions(platform: Platform, limit: int, *, name: str = "") -> list[ModelVersion]:
    """Registered versions, of one model or of all, newest first, each with its aliases. Raises TrackingUnavailable, TrackingRefused."""
    found = sorted(platform.tracking.model_versions(limit, name=name), key=lambda version: version.created_at, reverse=True)
    aliases = platform.tracking.all_aliases() if found else {}
    return [_with_aliases(version, aliases.get(version.name, {})) for version in found]


def get_model(platform: Platform, name: str) -> RegisteredModel:
    """One registered model. Raises Missing, TrackingUnavailable, TrackingRefused."""
    try:
        aliases = platform.tracking.aliases(name)
    except TrackingRefused:  # also of a name that no model can have
        raise Missing(f"there is no registered model {printable(name)!r}") from None
    versions = sorted(platform.tracking.model_versions(_MOST_VERSIONS, name=name), key=lambda version: version.created_at, reverse=True)
    return RegisteredModel(name, aliases, [_with_aliases(version, aliases) for version in versions])


def set_alias(platform: Platform, name: str, alias: str, version: str) -> RegisteredModel:
    """Let the alias lead to a version; the model afterwards. Raises Invalid, Missing, TrackingUnavailable, TrackingRefused."""
    problem = _alias_problem(alias)
    if problem is not None:
        raise Invalid(FieldError("alias", *problem))
    if not _VERSION.match(version):
        raise Invalid(FieldError("version", f"{printable(version)!r} is no version", 'give a number, as a text: "3"'))
    get_model(platform, name)
    try:
        platform.tracking.set_alias(name, alias, version)
    except TrackingMissing:
        raise Missing(f"the model {printable(name)!r} has no version {version}") from None
    return get_model(platform, name)


def delete_alias(platform: Platform, name: str, alias: str) -> None:
    """Take the alias away. Raises Missing, TrackingUnavailable, TrackingRefused."""
    if alias not in get_model(platform, name).aliases:
        raise Missing(f"the model {printable(name)!r} has no alias {printable(alias)!r}")
    platform.tracking.delete_alias(name, alias)


def _with_aliases(version: ModelVersion, aliases: dict[str, str]) -> ModelVersion:
    return replace(version, aliases=tuple(alias for alias, target in aliases.items() if target == version.version))


def _alias_problem(alias: str) -> tuple[str, str] | None:
    """What MLflow has against the alias, and the fix; None when it takes it."""
    if not _ALIAS.match(alias):
        return f"{printable(alias)!r} is no alias", "use 1 to 255 letters, digits, _ and -"
    if _RESERVED_ALIAS.match(alias):
        return f"{alias!r} is a name that MLflow keeps for itself", "use another name, such as champion"
    return None
