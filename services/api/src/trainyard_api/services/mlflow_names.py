"""MLflow's rules for the names of tags and parameters, checked before a job is accepted."""

import posixpath
import re
from collections.abc import Iterable

_TAG_NAME = re.compile(r"[/\w.\- ]*\Z")
_PARAMETER_NAME = re.compile(r"[/\w.\- :]*\Z")
MAX_NAME = 250


def tag_problem(name: str) -> tuple[str, str] | None:
    """What is wrong with the name of a tag, and the fix; None when it is fine. A colon ends the name in filters, so it holds none."""
    return _problem(name, _TAG_NAME, "use letters, digits, spaces and _ - . /")


def parameter_problem(name: str) -> tuple[str, str] | None:
    """What MLflow has against the name of a parameter, and the fix; None when it takes it."""
    return _problem(name, _PARAMETER_NAME, "use letters, digits, spaces and _ - . / :")


def _problem(name: str, allowed: re.Pattern[str], letters: str) -> tuple[str, str] | None:
    if not name.strip():
        return "is empty", "give it a name"
    if len(name) > MAX_NAME:
        return f"is {len(name)} characters long, MLflow keeps {MAX_NAME}", "shorten it"
    if not allowed.match(name):
        return "holds characters that MLflow refuses", letters
    normal = posixpath.normpath(name)
    if normal != name or normal == "." or normal.startswith(("..", "/")):
        return "reads as a path to somewhere else, which MLflow refuses", "use no empty, '.' or '..' parts between slashes"
    return None


def repeated(names: Iterable[str]) -> set[str]:
    """Names that come more than once."""
    seen: set[str] = set()
    return {name for name in names if name in seen or seen.add(name)}  # type: ignore[func-returns-value]
