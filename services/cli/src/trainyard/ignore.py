"""Patterns of a .trainyardignore file: the globs of .gitignore."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

#: Left out of every code folder; a `!pattern` of the user takes one back in.
ALWAYS = (".git/", "__pycache__/", ".venv/", "node_modules/", "*.py[co]", ".DS_Store")


@dataclass(frozen=True)
class _Rule:
    expression: re.Pattern[str]
    negated: bool
    folders_only: bool


class IgnoreRules:
    """Decides which paths are left out. As in git, the last rule that matches decides, and nothing below an ignored folder comes back."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Parse patterns, one a line; `#` starts a comment, `!` takes back, a trailing `/` means folders only."""
        self._rules = [rule for rule in map(_rule, [*ALWAYS, *lines]) if rule is not None]

    def ignores(self, path: str, *, folder: bool) -> bool:
        """Whether a path, relative to the root and with `/` between its parts, is left out."""
        for rule in reversed(self._rules):
            if (folder or not rule.folders_only) and rule.expression.fullmatch(path):
                return not rule.negated
        return False


def _rule(line: str) -> _Rule | None:
    line = line.rstrip("\r\n")
    line = re.sub(r"(?<!\\)[ \t]+\Z", "", line)
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    pattern = line[1:] if negated else line
    folders_only = pattern.endswith("/")
    pattern = pattern.rstrip("/")
    if not pattern:
        return None
    anchored = "/" in pattern
    expression = _translate(pattern.lstrip("/"))
    return _Rule(re.compile(expression if anchored else f"(?:.*/)?{expression}", re.DOTALL), negated, folders_only)


_TOKEN = re.compile(
    r"(?P<any>\A\*\*/|/\*\*/|/\*\*\Z)|(?P<star>\*+)|(?P<one>\?)|(?P<set>\[[!^]?\]?[^\]/]*\])|\\(?P<quoted>.)|(?P<plain>.)", re.DOTALL
)


def _translate(pattern: str) -> str:
    """The glob as a regular expression: `*` and `?` stay within a name, `**` crosses folders."""
    out = []
    for token in _TOKEN.finditer(pattern):
        text = token.group()
        if token["any"]:
            out.append({"**/": "(?:.*/)?", "/**/": "/(?:.*/)?", "/**": "/.*"}[text])
        elif token["star"]:
            out.append("[^/]*")
        elif token["one"]:
            out.append("[^/]")
        elif token["set"]:
            body = re.sub(r"([\[\\])", r"\\\1", text[1:-1])
            negated = body[:1] in ("!", "^")
            out.append(f"(?!/)[{'^' if negated else ''}{body[1:] if negated else body}]")
        else:
            out.append(re.escape(token["quoted"] or token["plain"]))
    return "".join(out)
