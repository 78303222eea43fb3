"""Medians and ranges of paired measurements."""

from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True)
class Spread:
    """The median of some figures, and the range of their middle half."""

    middle: float
    low: float
    high: float
    count: int

    def text(self, digits):
        if self.count == 1:
            return f"{self.middle:.{digits}f}"
        return f"{self.middle:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def spread(figures):
    figures = list(figures)
    if len(figures) < 3:
        return Spread(median(figures), min(figures), max(figures), len(figures))
    low, _, high = quantiles(figures, n=4, method="inclusive")
    return Spread(median(figures), low, high, len(figures))


def whole_range(figures):
    """The median with the least and the greatest: for few figures, each a median itself."""
    figures = list(figures)
    return Spread(median(figures), min(figures), max(figures), len(figures))
