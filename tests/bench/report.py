"""The page of figures: one row each with its day, machine and command; measuring a figure again replaces its row."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.bench.goals import Goal
from tests.bench.growth import Growth
from tests.bench.pairs import Figure, spread

DOCS = Path(__file__).parents[2] / "docs"
PAGE, READINGS = DOCS / "benchmarks.md", DOCS / "benchmarks.json"
_HEAD = """# Benchmarks

Each figure is Trainyard against a peer on the same machine in the same session, the two alternating; median, with the range in brackets.
A ratio is taken pair by pair. Written by `./scripts/bench --write` from docs/benchmarks.json, which holds every reading; the figures are of
that machine and that day, the ratios are what carries over.
"""


Row = Figure | Goal | Growth
Kind = TypeVar("Kind", Figure, Goal, Growth)


def put(row: Row, command: str) -> None:
    """Keep the readings in place of earlier ones of the same figure, and write the page anew."""
    known: dict[str, Any] = json.loads(READINGS.read_text()) if READINGS.exists() else {}
    known[_key(row)] = {
        "kind": type(row).__name__,
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "command": command,
        **dataclasses.asdict(row),
    }
    READINGS.write_text(json.dumps(known, indent=1) + "\n")
    PAGE.write_text(page(known))


def machine() -> str:
    """Processors, memory, system and Python of this one."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} CPUs, {memory:.0f} GiB, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _key(row: Row) -> str:
    return f"{row.title} / {row.peer}" if isinstance(row, Figure) else f"{row.title} / itself"


def page(known: dict[str, Any]) -> str:
    """The page of these figures."""
    figures, goals, growths = _rows(known, Figure), _rows(known, Goal), _rows(known, Growth)
    lines = [_HEAD, "| figure | Trainyard | peer | ratio | goal | pairs | day |", "|---|---|---|---|---|---|---|"]
    for figure, about in figures:
        sign = "<=" if figure.better == "lower" else ">="
        ours, theirs = (f"{spread(one, 2 if figure.unit == 's' else 0)} {figure.unit}" for one in (figure.ours, figure.theirs))
        goal = f"{sign} {figure.goal}{'' if figure.met else ': not met'}"
        cells = [figure.title, ours, f"{figure.peer}: {theirs}", f"**{figure.ratio}**", goal, str(len(figure.ours)), about["day"]]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| figure without a peer | reading | range | goal | readings | day |", "|---|---|---|---|---|---|"]
    for goal, about in goals:
        lines.append(
            f"| {goal.title} | **{goal.rank} {goal.value:.2f} {goal.unit}** | {min(goal.readings):.2f} to {max(goal.readings):.2f} "
            f"| <= {goal.most:g}{'' if goal.met else ': not met'} | {len(goal.readings)} | {about['day']} |"
        )
    if growths:
        lines += ["", "| growth | by | medians | exponent | goal | day |", "|---|---|---|---|---|---|"]
    for growth, about in growths:
        lines.append(
            f"| {growth.title} | {growth.by} | {growth.steps} {growth.unit} | **{growth.exponent:.2f}** "
            f"| <= {growth.most:g}{'' if growth.met else ': not met'} | {about['day']} |"
        )
    if notes := [f"- {row.title}: {row.note}" for row, _ in (*figures, *goals, *growths) if row.note]:
        lines += ["", *notes]
    lines += ["", "Measured by:", ""]
    lines += sorted({f"- {about['day']}, {about['machine']}: `{about['command']}`" for _, about in (*figures, *goals, *growths)})
    return "\n".join([*lines, ""])


def _rows(known: dict[str, Any], kind: type[Kind]) -> list[tuple[Kind, dict[str, Any]]]:
    """The rows of one kind, each with what is known about its measurement."""
    names = {one.name for one in dataclasses.fields(kind)}
    return [(kind(**{k: v for k, v in one.items() if k in names}), one) for one in known.values() if one["kind"] == kind.__name__]
