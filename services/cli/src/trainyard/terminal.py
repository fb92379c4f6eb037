"""What users wrote, made safe to print: control sequences never reach a terminal, nor does rich read its markup from them."""

from __future__ import annotations

import re

_CONTROL = re.compile(
    r"\x1b\[(?P<sgr>[0-9;:]*)m"  # colours: the one kind that may stay
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # other control sequences, whole or cut short
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # titles, links, device strings
    r"|\x1b[ -/]*[0-~]?"  # other escapes
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"  # the rest of C0 and C1, but tab and newline
)
_RETURNS = re.compile(r"\r+\n?")


def printable(text: str, *, colours: bool = False) -> str:
    """The text without terminal control sequences; SGR colours stay where asked for, and end with the line.

    Carriage returns, as progress bars print them, become line breaks.
    """
    text = _RETURNS.sub("\n", text)
    if not colours:
        return _CONTROL.sub("", text)
    clean = _CONTROL.sub(lambda match: match.group() if match["sgr"] is not None else "", text)
    return "\n".join(f"{line}\x1b[0m" if "\x1b[" in line else line for line in clean.split("\n"))


def one_line(text: str) -> str:
    """The text for a table's cell: no control sequences, no line breaks."""
    return " ".join(printable(text).split())
