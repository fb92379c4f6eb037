"""What the command's exit status means: the one list of codes."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit status of `trainyard`; scripts may rely on it."""

    OK = 0
    JOB_FAILED = 1
    REFUSED = 2
    SERVER = 3
    NOT_FOUND = 4
    CONFLICT = 5
    JOB_CANCELLED = 6
    INTERRUPTED = 130
    BROKEN_PIPE = 141


_MEANING = {
    ExitCode.OK: "done, or the watched job SUCCEEDED",
    ExitCode.JOB_FAILED: "the watched job FAILED",
    ExitCode.REFUSED: "wrong usage or refused input",
    ExitCode.SERVER: "no server answers, or it failed",
    ExitCode.NOT_FOUND: "no such job, template or upload",
    ExitCode.CONFLICT: "not possible in the present state",
    ExitCode.JOB_CANCELLED: "the watched job was CANCELLED",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C)",
    ExitCode.BROKEN_PIPE: "the reader of the output went away",
}


def epilog() -> str:
    """The codes as the last paragraph of `--help`."""
    return "\n".join(["\b", "Exit status:", *(f"  {code:<4} {meaning}" for code, meaning in _MEANING.items())])
