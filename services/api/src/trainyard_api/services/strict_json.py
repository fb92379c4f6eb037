"""Reading JSON without the leniency of ``json``: what no database or MLflow can keep is refused with its place in the document."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from trainyard_api.services.errors import FieldError, Invalid, Malformed

MAX_DEPTH = 64
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class _Object(dict[str, Any]):
    """A JSON object that remembers the names it was given twice."""

    repeated: tuple[str, ...] = ()


def parse_object(content: bytes) -> dict[str, Any]:
    """The object that ``content`` holds.

    Raises:
        Malformed: not JSON, or nested deeper than ``MAX_DEPTH``.
        Invalid: no object, names given twice, NaN or infinities, NUL characters, halves of characters.
    """
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is not UTF-8: byte {error.start} is wrong") from error
    except json.JSONDecodeError as error:
        raise Malformed(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise Malformed(f"the body is nested too deep; use at most {MAX_DEPTH} levels") from error
    except ValueError as error:  # Python bounds the digits of one number
        raise Malformed("the body holds a number with too many digits") from error
    errors = list(_findings(document))
    if errors:
        raise Invalid(*errors[:20])
    if not isinstance(document, dict):
        raise Invalid(FieldError("", "the body is not a JSON object", "send an object: {...}"))
    return document


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    document = _Object(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        document.repeated = tuple(sorted({name for name in names if names.count(name) > 1}))
    return document


def _findings(document: Any) -> Iterator[FieldError]:
    """Whatever cannot be kept, outermost first. Raises Malformed when it is nested too deep."""
    level: list[tuple[str, Any]] = [("", document)]
    for _ in range(MAX_DEPTH):
        below: list[tuple[str, Any]] = []
        for place, value in level:
            yield from _own_findings(place, value)
            if isinstance(value, _Object):
                below += [(f"{place}.{printable(name)}" if place else printable(name), item) for name, item in value.items()]
            elif isinstance(value, list):
                below += [(f"{place}.{index}" if place else str(index), item) for index, item in enumerate(value)]
        if not below:
            return
        level = below
    raise Malformed(f"the body is nested too deep; use at most {MAX_DEPTH} levels")


def _own_findings(place: str, value: Any) -> Iterator[FieldError]:
    if isinstance(value, float) and not math.isfinite(value):
        yield FieldError(place, "is not a finite number", "use a finite number; NaN and Infinity are not JSON")
    texts = [value] if isinstance(value, str) else list(value) if isinstance(value, _Object) else []
    for text in texts:
        if "\0" in text:
            yield FieldError(place, "holds a NUL character", "remove it")
        elif _LONE_SURROGATE.search(text):
            yield FieldError(place, "holds half of a character (a lone surrogate)", "remove it")
    if isinstance(value, _Object):
        for name in value.repeated:
            yield FieldError(f"{place}.{printable(name)}" if place else printable(name), "is given more than once", "give it once")


def printable(name: str) -> str:
    """The name as an answer can hold it, bounded."""
    return name[:100].replace("\0", "\ufffd").encode(errors="replace").decode()
