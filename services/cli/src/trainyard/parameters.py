"""`-p key=value` and its relatives: text from a command line turned into what a template's JSON Schema asks for."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from trainyard.errors import InvalidInput

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_EXAMPLES = {"integer": "3", "number": "0.01", "boolean": "true", "array": "[64,32]", "object": '{"key": "value"}'}
_NAMES = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "array": "a list", "object": "a JSON object"}


def pairs(items: Iterable[str], option: str) -> dict[str, str]:
    """`key=value` texts as a dict; the last one of a key counts. Raises InvalidInput naming `option`."""
    found = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise InvalidInput(option, f"{item!r} is not key=value", f"write {option} key=value")
        found[key.strip()] = value
    return found


def typed_parameters(texts: Mapping[str, str], schema: Mapping[str, Any], *, template: str) -> dict[str, Any]:
    """Each text as the type that the schema has for it; `name.key` sets one entry of an object.

    Bounds are left to the server, which knows them best.

    Raises:
        InvalidInput: an unknown parameter, or a value of the wrong type; names the parameter.
    """
    properties: Mapping[str, Any] = schema.get("properties") or {}
    found: dict[str, Any] = {}
    for name, text in texts.items():
        head, dot, key = name.partition(".")
        if dot and name not in properties and "object" in _types(properties.get(head, {}), schema):
            entry = properties[head].get("additionalProperties")
            found.setdefault(head, {})[key] = _typed(f"{head}.{key}", text, entry, schema) if isinstance(entry, dict) else free_value(text)
        elif name in properties:
            found[name] = _typed(name, text, properties[name], schema)
        else:
            raise InvalidInput(f"parameters.{name}", f"template {template!r} has no such parameter", _nearest(name, properties))
    return found


def free_value(text: str) -> Any:
    """A value with no schema: JSON where it reads as JSON, otherwise the text itself."""
    try:
        return json.loads(text, parse_constant=lambda name: name)
    except ValueError:
        return text


def seconds(text: str, option: str = "deadline") -> int:
    """A duration such as 90, 90s, 10m, 1h30m or 2d, in whole seconds. Raises InvalidInput."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text or (len(parts) > 1 and not all(unit for _, unit in parts)):
        raise InvalidInput(option, f"{text!r} is not a duration", "write it like 90s, 10m, 1h30m or 2d")
    total = math.ceil(sum(float(number) * _UNITS[unit or "s"] for number, unit in parts))
    if total < 1:
        raise InvalidInput(option, f"{text!r} leaves no time to run", "give at least 1s")
    return total


def type_of(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """A parameter's type for people, such as `integer or null`."""
    choices = _choices(spec, schema)
    return " | ".join(map(str, choices)) if choices else " or ".join(_types(spec, schema)) or "any"


def _typed(name: str, text: str, spec: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    types = _types(spec, schema)
    if text.strip() == "null" and "null" in types:
        return None
    choices = _choices(spec, schema)
    if choices and all(isinstance(choice, str) for choice in choices):
        if text not in choices:
            near = difflib.get_close_matches(text, choices, n=1)
            raise InvalidInput(
                f"parameters.{name}", f"{text!r} is none of {', '.join(choices)}", f"-p {name}={near[0] if near else choices[0]}"
            )
        return text
    for kind in ("boolean", "integer", "number", "array", "object"):
        if kind in types and (value := _read(kind, text, name, spec, schema)) is not None:
            return value
    wanted = [kind for kind in types if kind != "null"]
    if not wanted or "string" in wanted:
        return text
    expected = " or ".join(_NAMES.get(kind, kind) for kind in wanted)
    raise InvalidInput(f"parameters.{name}", f"{text!r} is not {expected}", f"-p {name}={_EXAMPLES.get(wanted[0], '...')}")


def _read(kind: str, text: str, name: str, spec: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """The text as one JSON type, or None when it is not of that type."""
    text = text.strip()
    if kind == "boolean":
        return True if text.lower() in _TRUE else False if text.lower() in _FALSE else None
    if kind in ("integer", "number"):
        return _number(kind, text)
    if kind == "array" and not text.startswith(("[", "{")):
        items = _items(spec, schema)
        return [_typed(name, part.strip(), items, schema) for part in text.split(",")] if text else []
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list if kind == "array" else dict) else None


def _number(kind: str, text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    if kind == "number":
        return value
    return int(value) if value.is_integer() else None


def _resolved(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = spec.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        return _resolved(schema.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {}), schema)
    return spec


def _alternatives(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    spec = _resolved(spec, schema)
    inner = spec.get("anyOf") or spec.get("oneOf")
    return [leaf for option in inner for leaf in _alternatives(option, schema)] if inner else [spec]


def _types(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for option in _alternatives(spec, schema):
        kinds = option.get("type", [])
        found += [kinds] if isinstance(kinds, str) else kinds
    return list(dict.fromkeys(found))


def _choices(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Any]:
    return [choice for option in _alternatives(spec, schema) for choice in option.get("enum", [])]


def _items(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    for option in _alternatives(spec, schema):
        if isinstance(option.get("items"), dict):
            return dict(option["items"])
    return {}


def _nearest(name: str, properties: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(properties), n=1)
    return f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(properties)}"
