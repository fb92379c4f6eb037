"""A fault case, and the table of what was seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tests.chaos.yard import Yard

#: What a case needs: any platform, or one that can have its fault.
Y = TypeVar("Y", bound=Yard)


@dataclass(frozen=True)
class Seen:
    """What came of a fault: a sentence, and the seconds from the fault until work went on (None where nothing was interrupted)."""

    sentence: str
    recovery_seconds: float | None = None


@dataclass(frozen=True)
class Case(Generic[Y]):
    """One fault. ``run`` injects it and asserts the outcome."""

    name: str
    fault: str
    expected: str
    run: Callable[[Y], Seen]


@dataclass(frozen=True)
class Result:
    """One run of a case; ``seen`` says what went wrong when it did not pass."""

    name: str
    fault: str
    expected: str
    passed: bool
    seen: str
    recovery_seconds: float | None
    seconds: float


def run_case(case: Case[Y], yard: Y) -> Result:
    """Run it; every exception is a failure of the case, not of the whole run."""
    begun = time.monotonic()
    try:
        seen, passed = case.run(yard), True
    except Exception as error:
        seen, passed = Seen(f"{type(error).__name__}: {str(error).strip() or 'an assertion failed'}"), False
    return Result(case.name, case.fault, case.expected, passed, seen.sentence, seen.recovery_seconds, time.monotonic() - begun)


def table(results: list[Result]) -> str:
    """The results as a Markdown table."""
    rows = ["| case | fault | expected | seen | recovery | passed |", "|---|---|---|---|---|---|"]
    for one in results:
        recovery = "" if one.recovery_seconds is None else f"{one.recovery_seconds:.1f} s"
        seen = " ".join(one.seen.split()).replace("|", "/")
        rows.append(f"| {one.name} | {one.fault} | {one.expected} | {seen} | {recovery} | {'yes' if one.passed else 'NO'} |")
    return "\n".join(rows)
