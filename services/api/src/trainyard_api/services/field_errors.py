"""pydantic's findings as field errors with a fix."""

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from trainyard_api.services.errors import FieldError

_FIXES: dict[str, Callable[[dict[str, Any]], str]] = {
    "missing": lambda _: "add it",
    "greater_than": lambda ctx: f"use more than {ctx['gt']}",
    "greater_than_equal": lambda ctx: f"use at least {ctx['ge']}",
    "less_than": lambda ctx: f"use less than {ctx['lt']}",
    "less_than_equal": lambda ctx: f"use at most {ctx['le']}",
    "literal_error": lambda ctx: f"use one of {ctx['expected']}",
    "enum": lambda ctx: f"use one of {ctx['expected']}",
    "string_pattern_mismatch": lambda ctx: f"write it so that it matches {ctx['pattern']}",
    "string_too_long": lambda ctx: f"use at most {ctx['max_length']} characters",
    "string_too_short": lambda ctx: f"use at least {ctx['min_length']} characters",
    "too_long": lambda ctx: f"use at most {ctx['max_length']} items",
    "too_short": lambda ctx: f"use at least {ctx['min_length']} items",
    "finite_number": lambda _: "use a finite number",
    "value_error": lambda _: "change the value",
}
_KINDS = {"int": "a whole number", "float": "a number", "string": "text", "bool": "true or false", "list": "a list", "dict": "an object"}
_MODEL_KINDS = ("model", "dataclass")


def field_errors(error: ValidationError, *, prefix: str = "", known: Iterable[str] = ()) -> list[FieldError]:
    """Every finding, its field below ``prefix``; ``known`` are the names that an unknown one may have been meant to be."""
    return [_field_error(detail, prefix, list(known)) for detail in error.errors(include_url=False, include_input=False)]


def did_you_mean(name: str, known: list[str]) -> str:
    """The nearest known name, or all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"use one of: {', '.join(known)}" if known else "leave it out"


def _field_error(detail: ErrorDetails, prefix: str, known: list[str]) -> FieldError:
    parts = [str(part) for part in detail["loc"] if part != "[key]"]
    field = ".".join([prefix, *parts] if prefix else parts)
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if detail["type"] == "extra_forbidden":
        return FieldError(field, "there is no such field", did_you_mean(parts[-1], known))
    return FieldError(field, message[:1].lower() + message[1:], _fix(detail))


def _fix(detail: ErrorDetails) -> str:
    known_fix = _FIXES.get(detail["type"])
    if known_fix is not None:
        return known_fix(dict(detail.get("ctx") or {}))
    kind = detail["type"].partition("_")[0]
    if kind in _MODEL_KINDS:
        kind = "dict"
    return f"give {_KINDS[kind]}" if kind in _KINDS else "change the value"
