"""The series of a file, each as long as it is, and the size of their errors."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.data.examples import Array
from series.rows import Window

FEWEST_ROWS = 4
"""Smallest number of rows before a cutoff."""

ROUNDING = 1e-9
"""Changes of this share of the values, or less, are rounding."""


@dataclass(frozen=True)
class Histories:
    """Some series up to a cutoff of each.

    Attributes:
        series: (rows,) for each series, in the target's unit, without gaps.
        cycle: timesteps of a year; 1 if rows have no cycle.
        horizon: timesteps to forecast.
    """

    series: list[Array]
    cycle: int
    horizon: int

    @classmethod
    def of(cls, windows: Mapping[str, Window], cycle: int, horizon: int) -> "Histories":
        """Return the series of some windows, which reach back to their first rows."""
        return cls([known(window) for window in windows.values()], cycle, horizon)

    def until(self, cutoffs: list[int]) -> "Histories":
        """Return the first `cutoffs` rows of each series."""
        values = [own[:count] for own, count in zip(self.series, cutoffs, strict=True)]
        return Histories(values, self.cycle, self.horizon)

    @property
    def lengths(self) -> Array:
        """(series,) the number of rows of each series."""
        return np.array([len(values) for values in self.series])

    def arrays(self) -> dict[str, Array]:
        """Return the series as arrays, from which `from_arrays` makes them again."""
        return {
            "values": np.concatenate(self.series),
            "lengths": self.lengths,
            "question": np.array([self.cycle, self.horizon]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> "Histories":
        """Return the series of some arrays."""
        ends = np.cumsum(arrays["lengths"])
        values = np.split(arrays["values"], ends[:-1])
        cycle, horizon = arrays["question"].tolist()
        return cls(values, cycle, horizon)

    @property
    def scales(self) -> Array:
        """(series,) the size of usual changes, by which errors are divided.

        It is the mean absolute change to the value one cycle before, as in the mean
        absolute scaled error (Hyndman and Koehler 2006, International Journal of
        Forecasting 22). Where there is none, it is that from row to row, or the size of
        the values.
        """
        return np.array([_scale(own, self.cycle) for own in self.series])


def known(window: Window) -> Array:
    """Return the values (rows,) of a window's target, from the last gap on."""
    target = window.question.fitted.columns.index(window.question.csv.target)
    values = window.inputs[:, target].astype(np.float64)
    return values[np.isfinite(values)]


def _scale(values: Array, cycle: int) -> float:
    size = float(np.abs(values).mean()) or 1.0
    for lag in (cycle, 1):
        changes = np.abs(values[lag:] - values[:-lag])
        if len(changes) and changes.mean() > ROUNDING * size:
            return float(changes.mean())
    return size
