"""Templates of Kubernetes objects: sandboxed Jinja2 in which a value can only ever become a JSON value."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from jinja2 import PackageLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup


class UnquotedValue(TypeError):
    """A template puts a value into the document without `tojson`."""


def _only_json(value: Any) -> Any:
    """What Jinja2 calls on each `{{ ... }}`: `tojson` and macros give Markup, everything else is refused."""
    if not isinstance(value, Markup):
        raise UnquotedValue(f"a template prints {type(value).__name__} without tojson")
    return value


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=PackageLoader("trainyard_templates.kubernetes", "."),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_only_json,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> dict[str, Any]:
    """The document that a template makes of these values.

    Raises:
        UnquotedValue, jinja2.UndefinedError, json.JSONDecodeError: the template is wrong.
    """
    document: dict[str, Any] = json.loads(_environment().get_template(template).render(values))
    return document
