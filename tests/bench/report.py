"""The page of figures: one row each, with the machine and the command."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tests.bench.goals import Goal
from tests.bench.pairs import Figure, spread

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_HEAD = """# Benchmarks

Each figure is Trainyard against a peer on the same machine in the same session, the two alternating; median, with the range in brackets.
A ratio is taken pair by pair. Written by `./scripts/bench`; the figures are of that machine and that day, the ratios are what carries over.

"""


def write(figures: list[Figure], goals: list[Goal], command: str) -> None:
    """Replace the page."""
    memory = psutil.virtual_memory().total / 2**30
    lines = [
        _HEAD + f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}; `{command}`.",
        "",
        "| figure | Trainyard | peer | ratio | goal | pairs |",
        "|---|---|---|---|---|---|",
    ]
    for figure in figures:
        sign = "<=" if figure.better == "lower" else ">="
        digits = 2 if figure.unit == "s" else 0
        lines.append(
            f"| {figure.title} | {spread(figure.ours, digits)} {figure.unit} "
            f"| {figure.peer}: {spread(figure.theirs, digits)} {figure.unit} "
            f"| **{spread(figure.ratios)}** | {sign} {figure.goal}{'' if figure.met else ': not met'} | {len(figure.ours)} |"
        )
    if goals:
        lines += ["", "| figure without a peer | reading | range | goal | readings |", "|---|---|---|---|---|"]
    for goal in goals:
        lines.append(
            f"| {goal.title} | **{goal.rank} {goal.value:.2f} {goal.unit}** | {min(goal.readings):.2f} to {max(goal.readings):.2f} "
            f"| <= {goal.most:g}{'' if goal.met else ': not met'} | {len(goal.readings)} |"
        )
    notes = [f"- {figure.title}: {figure.note}" for figure in [*figures, *goals] if figure.note]
    PAGE.write_text("\n".join([*lines, "", *notes, ""] if notes else [*lines, ""]))
