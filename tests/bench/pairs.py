"""Alternating measurements of two sides, and what is said about them."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """Paired readings of Trainyard and a peer. ``better`` is "lower" or "higher"; ``goal`` bounds the median ratio."""

    title: str
    unit: str
    peer: str
    ours: list[float]
    theirs: list[float]
    goal: float
    better: str = "lower"
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        """Trainyard's reading divided by the peer's, pair by pair."""
        return [a / b for a, b in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> str:
        """The ratios' median and range, as finely as the goal is given."""
        return spread(self.ratios, 2 if round(self.goal, 2) == self.goal else 3)

    @property
    def met(self) -> bool:
        """Whether the median ratio reaches the goal."""
        median = statistics.median(self.ratios)
        return median <= self.goal if self.better == "lower" else median >= self.goal

    def __str__(self) -> str:
        """The ratio and its goal, as a line."""
        sides = f"{spread(self.ours)} {self.unit} against {spread(self.theirs)} {self.unit} of {self.peer}"
        return f"{self.title}: ratio {self.ratio}, goal {self.goal} {'met' if self.met else 'NOT met'}: {sides}"


def alternate(
    title: str, pairs: int, ours: Callable[[], float], theirs: Callable[[], float], *, rehearsed: bool = False
) -> tuple[list[float], list[float]]:
    """Measure both sides ``pairs`` times, changing who goes first; ``rehearsed``: after once that does not count (images are pulled)."""
    first: list[float] = []
    second: list[float] = []
    if rehearsed:
        print(f"{title}: not counted: {ours():.2f} against {theirs():.2f}", file=sys.stderr, flush=True)
    for number in range(pairs):
        sides = [(first, ours), (second, theirs)]
        for readings, measure in sides if number % 2 == 0 else reversed(sides):
            readings.append(measure())
        print(f"{title}: pair {number + 1}/{pairs}: {first[-1]:.2f} against {second[-1]:.2f}", file=sys.stderr, flush=True)
    return first, second


def spread(values: list[float], digits: int = 2) -> str:
    """Median, and the range behind it; two significant digits of what would round to nothing."""
    median = statistics.median(values)
    form = f".{digits}f" if abs(median) >= 0.005 else ".2g"
    return f"{median:{form}} ({min(values):{form}} to {max(values):{form}})"
