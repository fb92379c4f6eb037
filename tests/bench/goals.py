"""Figures with a goal of their own, without a peer."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[max(0, math.ceil(0.95 * len(values)) - 1)]


@dataclass(frozen=True)
class Goal:
    """Readings, and the most that their ``rank`` ("median" or "p95") may be."""

    title: str
    unit: str
    readings: list[float]
    most: float
    rank: str = "median"
    note: str = ""

    @property
    def value(self) -> float:
        """The reading that counts."""
        return statistics.median(self.readings) if self.rank == "median" else p95(self.readings)

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.value <= self.most

    def __str__(self) -> str:
        """The figure and its goal, as a line."""
        span = f"{min(self.readings):.2f} to {max(self.readings):.2f}"
        sign = "met" if self.met else "NOT met"
        return f"{self.title}: {self.rank} {self.value:.2f} {self.unit} ({span}), goal {self.most:g} {sign}"
