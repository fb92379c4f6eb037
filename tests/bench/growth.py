"""What something costs at several sizes, and the exponent of its growth."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Growth:
    """Readings at each of ``sizes``; ``most`` bounds the exponent: 0 is no growth, 1 is in proportion."""

    title: str
    unit: str
    #: What the sizes count.
    by: str
    sizes: list[int]
    readings: list[list[float]]
    most: float
    note: str = ""

    @property
    def medians(self) -> list[float]:
        """The median at each size."""
        return [statistics.median(one) for one in self.readings]

    @property
    def exponent(self) -> float:
        """The slope of the medians in logarithms, by least squares."""
        return statistics.linear_regression([math.log(size) for size in self.sizes], [math.log(cost) for cost in self.medians]).slope

    @property
    def met(self) -> bool:
        """Whether it grows no faster than it may."""
        return self.exponent <= self.most

    @property
    def steps(self) -> str:
        """Each size with its median."""
        return ", ".join(f"{size:,}: {cost:.3g}" for size, cost in zip(self.sizes, self.medians, strict=True))

    def __str__(self) -> str:
        """The exponent and its bound, as a line."""
        sign = "met" if self.met else "NOT met"
        return f"{self.title}: exponent {self.exponent:.2f}, goal {self.most:g} {sign}: {self.unit} by {self.by}: {self.steps}"
