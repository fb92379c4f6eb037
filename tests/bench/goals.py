"""Figures with a goal of their own, without a peer."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass


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
        if self.rank == "median":
            return statistics.median(self.readings)
        return sorted(self.readings)[max(0, math.ceil(0.95 * len(self.readings)) - 1)]

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.value <= self.most

    def __str__(self) -> str:
        """The figure and its goal, as a line."""
        span = f"{min(self.readings):.2f} to {max(self.readings):.2f}"
        sign = "met" if self.met else "NOT met"
        return f"{self.title}: {self.rank} {self.value:.2f} {self.unit} ({span}), goal {self.most:g} {sign}"
